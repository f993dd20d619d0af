import {
  createChat,
  decodeKeys,
  decodeLines,
  EMPTY_KEYS,
  EMPTY_LINES,
  flushKeys,
  flushLines,
  readRoomEvent,
  reduce,
  render,
  SCREEN_ENTER,
  SCREEN_LEAVE,
  type ChatEffect,
  type ChatEvent,
  type ChatInit,
  type ChatState,
  type ColourDepth
} from '#chat'
import { errorCode, errorMessage, type ControlEvent, type ControlInput } from '#contracts'
import type { CliContext, ControlCall, ControlClient } from './context.ts'

/** How often the clock of the screen moves on. */
const TICK_MS = 1_000
/** A lone escape key is one when nothing follows it for so long. */
const ESCAPE_MS = 50

/** What a chat that runs is made of. */
interface SessionComponents {
  readonly context: CliContext
  readonly client: ControlClient
  readonly draw: (state: ChatState) => Promise<void>
}

/** A chat that runs: the pure chat, the room it is in, and the screen or pipe it is shown on. */
interface Session {
  readonly context: CliContext
  readonly client: ControlClient
  readonly quit: AbortController
  /** Takes an event; events are taken one after the other. */
  readonly dispatch: (event: ChatEvent) => Promise<void>
  room: JoinedRoom | undefined
  /** What is on its way to the node. Never awaited by a step: the node's answers come as steps themselves. */
  sending: Promise<void>
}

interface JoinedRoom {
  readonly leave: AbortController
  /** Opened once the room before was left. */
  readonly call: Promise<ControlCall<'chat.join'>>
  /** Settles when the room was left. */
  readonly left: Promise<void>
}

/** Chat over plain lines: what comes on standard input is said, what is said is written to standard output. */
export async function runChatLines(
  context: CliContext,
  client: ControlClient,
  init: ChatInit
): Promise<void> {
  const session = startSession({ context, client, draw: async () => await Promise.resolve() }, init)
  let lines = EMPTY_LINES
  const read = async (): Promise<void> => {
    for await (const chunk of context.stdin) {
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

/** Chat on a whole terminal. */
export async function runChatScreen(
  context: CliContext,
  client: ControlClient,
  init: ChatInit
): Promise<void> {
  const { stdout, environment } = context
  const colours = colourDepth(environment)
  using terminal = context.openTerminal()
  await stdout.write(SCREEN_ENTER)
  try {
    const draw = async (state: ChatState): Promise<void> => {
      await stdout.write(render(state, { columns: stdout.columns, rows: stdout.rows, colours }))
    }
    const session = startSession({ context, client, draw }, init)
    terminal.onResize(() => {
      void session.dispatch({ type: 'resize', columns: stdout.columns, rows: stdout.rows })
    })
    using _ticking = context.clock.every(TICK_MS, () => {
      void session.dispatch({ type: 'tick', nowMs: context.clock.nowMs() })
    })
    void readKeys(terminal.keys, session).catch((thrown: unknown) => session.quit.abort(thrown))
    await finished(session)
  } finally {
    await stdout.write(SCREEN_LEAVE)
  }
}

async function readKeys(input: AsyncIterable<Uint8Array>, session: Session): Promise<void> {
  let keys = EMPTY_KEYS
  let escape: Disposable | undefined
  for await (const chunk of input) {
    escape?.[Symbol.dispose]()
    const step = decodeKeys(keys, chunk)
    keys = step.state
    await session.dispatch({ type: 'keys', keys: step.keys })
    if (keys.mode === 'ground') continue
    escape = session.context.clock.after(ESCAPE_MS, () => {
      const flushed = flushKeys(keys)
      keys = flushed.state
      void session.dispatch({ type: 'keys', keys: flushed.keys })
    })
  }
  await session.dispatch({ type: 'input-end' })
}

function startSession({ context, client, draw }: SessionComponents, init: ChatInit): Session {
  const first = createChat(init)
  let { state } = first
  let turn = Promise.resolve()
  const session: Session = {
    ...{ context, client, room: undefined, sending: Promise.resolve() },
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
  const { context, quit } = session
  const signal = AbortSignal.any([quit.signal, context.signal])
  if (!signal.aborted) {
    await new Promise<void>((done) => {
      signal.addEventListener('abort', () => done(), { once: true })
    })
  }
  session.room?.leave.abort()
  await session.room?.left
  const reason: unknown = quit.signal.reason
  if (quit.signal.aborted && reason !== QUIT) throw reason
}

const QUIT = Symbol('the person asked to quit')

async function perform(session: Session, effect: ChatEffect): Promise<void> {
  const { context, quit } = session
  switch (effect.type) {
    case 'join':
      joinRoom(session, effect)
      break
    case 'leave':
      session.room?.leave.abort()
      break
    case 'send':
      send(session, { kind: 'text', text: effect.text })
      break
    case 'nick':
      send(session, { kind: 'nick', nick: effect.nick })
      break
    case 'print':
      await context.stdout.write(effect.line + '\n')
      break
    case 'note':
      await context.stderr.write(effect.line + '\n')
      break
    case 'quit':
      quit.abort(QUIT)
      break
  }
}

function send(session: Session, input: ControlInput): void {
  const { room } = session
  session.sending = session.sending
    .then(async () => await (await room?.call)?.send(input))
    // A connection that broke ends the call too, which says why.
    .catch(() => undefined)
}

function joinRoom(session: Session, { room, nick }: { readonly room: string; readonly nick: string }): void {
  const leave = new AbortController()
  const before = session.room?.left ?? Promise.resolve()
  const signal = AbortSignal.any([leave.signal, session.context.signal])
  const onEvent = async (event: ControlEvent): Promise<void> => {
    if (event.kind === 'room' && !leave.signal.aborted) await takeEvent(session, event.event)
  }
  const call = before.then(() => session.client.open('chat.join', { room, nick }, { signal, onEvent }))
  const left = call
    .then(async ({ result }) => {
      await result
    })
    .catch((thrown: unknown) => {
      if (leave.signal.aborted) return
      const code = errorCode(thrown) ?? 'ERR_UNKNOWN'
      if (code === 'ERR_NODE_UNREACHABLE') session.quit.abort(thrown)
      void session.dispatch({ type: 'refused', asked: 'join', code, message: errorMessage(thrown) })
    })
  session.room = { leave, call, left }
}

async function takeEvent({ dispatch }: Session, fields: Readonly<Record<string, unknown>>): Promise<void> {
  if (fields['type'] === 'refused') {
    const asked = fields['asked'] === 'nick' ? 'nick' : 'send'
    await dispatch({
      type: 'refused',
      asked,
      code: String(fields['code']),
      message: String(fields['message'])
    })
    return
  }
  const event = readRoomEvent(fields)
  if (event !== undefined) await dispatch({ type: 'room', event })
}

function colourDepth(environment: CliContext['environment']): ColourDepth {
  if (environment['NO_COLOR'] !== undefined || environment['TERM'] === 'dumb') return 'none'
  return environment['TERM']?.includes('256') === true || environment['COLORTERM'] !== undefined
    ? '256'
    : '16'
}
