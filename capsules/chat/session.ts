import { createChat, reduce } from './chat.ts'
import type { ColourDepth } from './colours.ts'
import { decodeKeys, EMPTY_KEYS, flushKeys } from './keys.ts'
import { decodeLines, EMPTY_LINES, flushLines } from './lines.ts'
import { readRoomEvent } from './read-room-event.ts'
import { render, SCREEN_ENTER, SCREEN_LEAVE } from './screen.ts'
import type { ChatAsked, ChatEffect, ChatEvent, ChatInit, ChatState } from './state.ts'

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
  /** Says something to one person only; absent where that cannot be done. */
  direct?(did: string, text: string): Promise<void>
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
  /** Adds a file, and resolves with what to say so that others find it; absent where there are no files. */
  share?(path: string): Promise<string>
  /** Keeps the node from hearing somebody, in this chat and later, or undoes that. */
  block?(did: string, isBlocked: boolean): Promise<void>
  /** Aborts when the chat is to end. */
  readonly signal: AbortSignal
}

/** A chat that runs: the pure chat, the rooms it is in, and the place it is shown at. */
interface Session {
  readonly place: ChatPlace
  readonly quit: AbortController
  /** Takes an event; events are taken one after the other. */
  readonly dispatch: (event: ChatEvent) => Promise<void>
  /** By the name that the room was asked for as. */
  readonly visits: Map<string, ChatVisit>
  /** Rooms that are being left; one is joined again only when that has ended. */
  readonly leaving: Map<string, Promise<void>>
  /** What is on its way to the room. Never awaited by a step: the room's answers come as steps themselves. */
  sending: Promise<void>
}

/**
 * Runs a chat at a place until its person quits, its input ends with all that was said settled, or its signal aborts;
 * then leaves its rooms.
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
    ...{ place, visits: new Map(), leaving: new Map(), sending: Promise.resolve() },
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

/** Waits for the end of the chat, then leaves its rooms. */
async function finished(session: Session): Promise<void> {
  const { place, quit } = session
  const signal = AbortSignal.any([quit.signal, place.signal])
  if (!signal.aborted) {
    await new Promise<void>((done) => {
      signal.addEventListener('abort', () => done(), { once: true })
    })
  }
  const visits = [...session.visits.values()]
  for (const visit of visits) visit.leave()
  await Promise.allSettled([...visits.map(({ left }) => left), ...session.leaving.values()])
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
      leaveRoom(session, effect.room)
      break
    case 'send':
      hand(session, effect.room, async (visit) => await visit.say(effect.text))
      break
    case 'nick':
      hand(session, effect.room, async (visit) => await visit.rename(effect.nick))
      break
    case 'direct':
      attempt(session, { asked: 'direct', room: effect.room }, async (visit) => {
        if (visit.direct === undefined) throw new PlaceError('ERR_DIRECT_NONE', 'no such messages here')
        await visit.direct(effect.to, effect.text)
      })
      break
    case 'share':
      attempt(session, { asked: 'share', room: effect.room }, async (visit) => {
        if (place.share === undefined) throw new PlaceError('ERR_SHARE_NONE', 'no files can be added here')
        await visit.say(await place.share(effect.path))
      })
      break
    case 'block':
      await place.block?.(effect.did, effect.isBlocked).catch(async (thrown: unknown) => {
        void session.dispatch(refusal({ asked: 'block' }, thrown))
        await Promise.resolve()
      })
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

/** Something that this place cannot do. */
class PlaceError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

type Asked = Pick<Extract<ChatEvent, { type: 'refused' }>, 'asked' | 'room'>

function refusal(asked: Asked, thrown: unknown): ChatEvent {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'ERR_UNKNOWN'
  return { type: 'refused', ...asked, code, message: thrown instanceof Error ? thrown.message : code }
}

/** Does something in a room; what goes wrong with it is shown there. */
function attempt(
  session: Session,
  asked: Asked & { readonly room: string },
  act: (visit: ChatVisit) => Promise<void>
): void {
  hand(session, asked.room, async (visit) => {
    await act(visit).catch((thrown: unknown) => {
      // Not awaited: a step may wait for what is being sent.
      void session.dispatch(refusal(asked, thrown))
    })
  })
}

function hand(session: Session, room: string, act: (visit: ChatVisit) => Promise<void>): void {
  const visit = session.visits.get(room)
  session.sending = session.sending
    .then(async () => {
      if (visit !== undefined) await act(visit)
    })
    // A visit that broke off says so itself.
    .catch(() => undefined)
}

function leaveRoom(session: Session, room: string): void {
  const visit = session.visits.get(room)
  if (visit === undefined) return
  session.visits.delete(room)
  const left = visit.left
    .catch(() => undefined)
    .finally(() => {
      if (session.leaving.get(room) === left) session.leaving.delete(room)
    })
  session.leaving.set(room, left)
  visit.leave()
}

function joinRoom(session: Session, { room, nick }: { readonly room: string; readonly nick: string }): void {
  const tell: ChatTold = async (fields) => {
    const event = eventOf(room, fields)
    if (session.visits.get(room) === visit && event !== undefined) await session.dispatch(event)
  }
  const before = session.leaving.get(room) ?? Promise.resolve()
  const visit = session.place.join({ room, nick }, before, tell)
  session.visits.set(room, visit)
  visit.left.catch((thrown: unknown) => session.quit.abort(thrown))
}

const ASKED: ReadonlySet<unknown> = new Set<ChatAsked>(['send', 'nick', 'join', 'direct'])

/** The event that the fields say, if they say one. */
function eventOf(room: string, fields: Readonly<Record<string, unknown>>): ChatEvent | undefined {
  const { type, asked, code, message } = fields
  if (type === 'refused') {
    const what = ASKED.has(asked) ? (asked as ChatAsked) : 'send'
    return { type, room, asked: what, code: String(code), message: String(message) }
  }
  const event = readRoomEvent(fields)
  return event === undefined ? undefined : { type: 'room', room, event }
}
