import { createChat, reduce } from './chat.ts'
import type { ColourDepth } from './colours.ts'
import { decodeKeys, EMPTY_KEYS, flushKeys } from './keys.ts'
import { decodeLines, EMPTY_LINES, flushLines } from './lines.ts'
import { readRoomEvent } from './read-room-event.ts'
import { render, SCREEN_ENTER, SCREEN_LEAVE } from './screen.ts'
import type { ChatEffect, ChatEvent, ChatInit, ChatState } from './state.ts'

/** How often the clock of the screen moves on. */
const TICK_MS = 1_000
/** A lone escape key is one when nothing follows it for so long. */
const ESCAPE_MS = 50

/** The clock of a chat. */
export interface ChatClock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number
  /** Calls `task` once after `delayMs`, unless it is disposed before. */
  after(delayMs: number, task: () => void): Disposable
  /** Calls `task` every `periodMs` until it is disposed. */
  every(periodMs: number, task: () => void): Disposable
}

/** A whole terminal that draws. */
export interface ChatTerminal {
  /** Its size of now. */
  readonly columns: number
  readonly rows: number
  readonly colours: ColourDepth
  /** Calls `task` whenever the size changed. */
  onResize(task: () => void): void
}

/** A room being joined, or joined. */
export interface ChatVisit {
  /** Says something; resolves when it was handed on. What becomes of it comes as events. */
  say(text: string): Promise<void>
  rename(nick: string): Promise<void>
  /** Begins to leave. */
  leave(): void
  /** Settles when the room was left. @throws what ends the whole chat */
  readonly left: Promise<void>
}

/** Where to tell what happens in a room: the fields of its events, as they crossed the wire. */
export type ChatTold = (fields: Readonly<Record<string, unknown>>) => Promise<void>

/** What a chat takes from where it runs: a command of the node, or a capsule. */
export interface ChatPlace {
  /** What is typed: keys on a screen, lines else. */
  readonly input: AsyncIterable<Uint8Array>
  /** Writes to standard output. */
  print(text: string): Promise<void>
  /** Writes to standard error. */
  note(text: string): Promise<void>
  readonly clock: ChatClock
  /** Absent where lines are shown. */
  readonly terminal?: ChatTerminal
  /** Joins a room once `before` has settled. A refusal is told as an event of type `refused`. */
  join(room: { room: string; nick: string }, before: Promise<void>, tell: ChatTold): ChatVisit
  /** Aborts when the chat is to end. */
  readonly signal: AbortSignal
}

/** A chat that runs: the pure chat, the room it is in, and the place it is shown at. */
interface Session {
  readonly place: ChatPlace
  readonly quit: AbortController
  /** Takes an event; events are taken one after the other. */
  readonly dispatch: (event: ChatEvent) => Promise<void>
  visit: ChatVisit | undefined
  /** What is on its way to the room. Never awaited by a step: the room's answers come as steps themselves. */
  sending: Promise<void>
}

/**
 * Runs a chat at a place until its person quits, its input ends with all that was said settled, or its signal aborts;
 * then leaves the room.
 *
 * @throws what ended it, when the place itself is gone
 */
export async function runChat(place: ChatPlace, init: ChatInit): Promise<void> {
  await (place.terminal === undefined ? runLines(place, init) : runScreen(place, place.terminal, init))
}

async function runLines(place: ChatPlace, init: ChatInit): Promise<void> {
  const session = startSession(place, async () => await Promise.resolve(), init)
  let lines = EMPTY_LINES
  const read = async (): Promise<void> => {
    for await (const chunk of place.input) {
      const step = decodeLines(lines, chunk)
      lines = step.state
      await session.dispatch({ type: 'lines', lines: step.lines })
      await session.sending
    }
    await session.dispatch({ type: 'lines', lines: flushLines(lines).lines })
    await session.dispatch({ type: 'input-end' })
  }
  void read().catch((thrown: unknown) => session.quit.abort(thrown))
  await finished(session)
}

async function runScreen(place: ChatPlace, terminal: ChatTerminal, init: ChatInit): Promise<void> {
  await place.print(SCREEN_ENTER)
  try {
    const draw = async (state: ChatState): Promise<void> => {
      const { columns, rows, colours } = terminal
      await place.print(render(state, { columns, rows, colours }))
    }
    const session = startSession(place, draw, init)
    terminal.onResize(() => {
      void session.dispatch({ type: 'resize', columns: terminal.columns, rows: terminal.rows })
    })
    using _ticking = place.clock.every(TICK_MS, () => {
      void session.dispatch({ type: 'tick', nowMs: place.clock.nowMs() })
    })
    void readKeys(session).catch((thrown: unknown) => session.quit.abort(thrown))
    await finished(session)
  } finally {
    await place.print(SCREEN_LEAVE)
  }
}

async function readKeys(session: Session): Promise<void> {
  let keys = EMPTY_KEYS
  let escape: Disposable | undefined
  for await (const chunk of session.place.input) {
    escape?.[Symbol.dispose]()
    const step = decodeKeys(keys, chunk)
    keys = step.state
    await session.dispatch({ type: 'keys', keys: step.keys })
    if (keys.mode === 'ground') continue
    escape = session.place.clock.after(ESCAPE_MS, () => {
      const flushed = flushKeys(keys)
      keys = flushed.state
      void session.dispatch({ type: 'keys', keys: flushed.keys })
    })
  }
  await session.dispatch({ type: 'input-end' })
}

function startSession(place: ChatPlace, draw: (state: ChatState) => Promise<void>, init: ChatInit): Session {
  const first = createChat(init)
  let { state } = first
  let turn = Promise.resolve()
  const session: Session = {
    ...{ place, visit: undefined, sending: Promise.resolve() },
    quit: new AbortController(),
    dispatch: async (event) => {
      turn = turn.then(async () => {
        if (session.quit.signal.aborted) return
        const step = reduce(state, event)
        state = step.state
        for (const effect of step.effects) await perform(session, effect)
        await draw(state)
      })
      turn.catch((thrown: unknown) => session.quit.abort(thrown))
      await turn
    }
  }
  turn = (async () => {
    for (const effect of first.effects) await perform(session, effect)
    await draw(state)
  })()
  return session
}

/** Waits for the end of the visit, then leaves the room. */
async function finished(session: Session): Promise<void> {
  const { place, quit } = session
  const signal = AbortSignal.any([quit.signal, place.signal])
  if (!signal.aborted) {
    await new Promise<void>((done) => {
      signal.addEventListener('abort', () => done(), { once: true })
    })
  }
  session.visit?.leave()
  await session.visit?.left.catch(() => undefined)
  const reason: unknown = quit.signal.reason
  if (quit.signal.aborted && reason !== QUIT) throw reason
}

const QUIT = Symbol('the person asked to quit')

async function perform(session: Session, effect: ChatEffect): Promise<void> {
  const { place, quit } = session
  switch (effect.type) {
    case 'join':
      joinRoom(session, effect)
      break
    case 'leave':
      session.visit?.leave()
      break
    case 'send':
      hand(session, async (visit) => await visit.say(effect.text))
      break
    case 'nick':
      hand(session, async (visit) => await visit.rename(effect.nick))
      break
    case 'print':
      await place.print(effect.line + '\n')
      break
    case 'note':
      await place.note(effect.line + '\n')
      break
    case 'quit':
      quit.abort(QUIT)
      break
  }
}

function hand(session: Session, act: (visit: ChatVisit) => Promise<void>): void {
  const { visit } = session
  session.sending = session.sending
    .then(async () => {
      if (visit !== undefined) await act(visit)
    })
    // A visit that broke off says so itself.
    .catch(() => undefined)
}

function joinRoom(session: Session, { room, nick }: { readonly room: string; readonly nick: string }): void {
  const before = session.visit?.left ?? Promise.resolve()
  const tell: ChatTold = async (fields) => {
    const event = eventOf(fields)
    if (session.visit === visit && event !== undefined) await session.dispatch(event)
  }
  const visit = session.place.join(
    { room, nick },
    before.catch(() => undefined),
    tell
  )
  session.visit = visit
  visit.left.catch((thrown: unknown) => session.quit.abort(thrown))
}

const ASKED: ReadonlySet<unknown> = new Set(['send', 'nick', 'join'])

/** The event that the fields say, if they say one. */
function eventOf(fields: Readonly<Record<string, unknown>>): ChatEvent | undefined {
  const { type, asked, code, message } = fields
  if (type === 'refused') {
    const what = ASKED.has(asked) ? (asked as 'send' | 'nick' | 'join') : 'send'
    return { type, asked: what, code: String(code), message: String(message) }
  }
  const event = readRoomEvent(fields)
  return event === undefined ? undefined : { type: 'room', event }
}
