import { capsule, codeOf, type CapsuleStream } from '#sdk'
import { FIRST_USE_NOTICE } from './chat.ts'
import { runChat, type ChatClock, type ChatPlace, type ChatTerminal, type ChatVisit } from './session.ts'
import type { ChatInit } from './state.ts'

/** `chat [ROOM [NICK]]` in a capsule: the same chat as the command's, over the peer contract. */

const ROOM_DEFAULT = 'lobby'
const NICK_DEFAULT = 'someone'
/** How often, and for how long in all, it is tried to ask while another run asks. */
const ASK_AGAIN_MS = 250
const ASK_TRIES_MAX = 480

const clock: ChatClock = {
  nowMs: () => Date.now(),
  after: (delayMs, task) => {
    const timer = setTimeout(task, delayMs)
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
  every: (periodMs, task) => {
    const timer = setInterval(task, periodMs)
    return { [Symbol.dispose]: () => clearInterval(timer) }
  }
}

let lastAsked: Promise<unknown> = Promise.resolve()

/** Asks to be in a room, one question at a time. */
async function askFor(room: string): Promise<void> {
  const asked = lastAsked.then(async () => await askAlone(room))
  lastAsked = asked.catch(() => undefined)
  await asked
}

/** Another run of this chat may have a question open: it waits until that is answered. */
async function askAlone(room: string): Promise<void> {
  const wanted = { command: 'peer/*', resource: `elastos://peer/room/${room}` }
  for (let tries = 1; ; tries += 1) {
    try {
      await capsule.request({ ...wanted, reason: `to talk in the room ${room}` })
      return
    } catch (thrown) {
      if (codeOf(thrown) !== 'ERR_CAPABILITY_PENDING' || tries >= ASK_TRIES_MAX) throw thrown
    }
    await new Promise<void>((resolve) => clock.after(ASK_AGAIN_MS, resolve))
  }
}

/** Joins a room over the peer contract; what is refused is told as an event. */
function join(...[{ room, nick }, before, tell]: Parameters<ChatPlace['join']>): ChatVisit {
  let events: CapsuleStream | undefined
  let isLeaving = false
  const refused = async (asked: 'send' | 'nick' | 'join', thrown: unknown): Promise<void> => {
    if (isLeaving) return
    const code = codeOf(thrown) ?? 'ERR_UNKNOWN'
    await tell({ type: 'refused', asked, code, message: thrown instanceof Error ? thrown.message : code })
  }
  const enter = async (): Promise<CapsuleStream> => {
    await askFor(room)
    await capsule.call('peer/join', { room, nick })
    const { members } = await capsule.call('peer/members', { room })
    void tell({ type: 'here', room, members })
    return await capsule.open('peer/subscribe', { room })
  }
  const entered = before.then(enter)
  const left = entered
    .then(async (stream) => {
      events = stream
      if (isLeaving) stream.close()
      for await (const event of stream) await tell(event as Readonly<Record<string, unknown>>)
      await capsule.call('peer/leave', { room })
    })
    .catch(async (thrown: unknown) => await refused('join', thrown))
  return {
    left,
    leave: () => {
      isLeaving = true
      events?.close()
    },
    say: async (text) => {
      // A room that could not be joined hears nothing: what was said is settled by the refusal.
      await entered.catch(() => undefined)
      // Not awaited: it settles when somebody heard it, and the next line need not wait for that.
      void capsule
        .call('peer/publish', { room, text })
        .catch(async (thrown: unknown) => await refused('send', thrown))
    },
    rename: async (newNick) => {
      await entered
      await capsule
        .call('peer/nick', { room, nick: newNick })
        .catch(async (thrown: unknown) => await refused('nick', thrown))
    }
  }
}

/** The terminal of this run, in raw mode; none over a pipe. */
async function openTerminal(): Promise<ChatTerminal | undefined> {
  try {
    let size = await capsule.terminal.setRaw(true)
    const listeners: (() => void)[] = []
    capsule.terminal.onResize((next) => {
      size = { ...size, ...next }
      for (const listener of listeners) listener()
    })
    return {
      get columns() {
        return size.columns
      },
      get rows() {
        return size.rows
      },
      colours: '256',
      onResize: (task) => listeners.push(task)
    }
  } catch (thrown) {
    if (codeOf(thrown) === 'ERR_TERMINAL_NONE') return undefined
    throw thrown
  }
}

const [room = ROOM_DEFAULT, nick = NICK_DEFAULT] = capsule.args
const terminal = await openTerminal()
const size = terminal === undefined ? {} : { columns: terminal.columns, rows: terminal.rows }
const init: ChatInit = {
  mode: terminal === undefined ? 'lines' : 'screen',
  ...{ room, nick, nowMs: clock.nowMs() },
  ...size
}
const place: ChatPlace = {
  input: capsule.input(),
  print: async (text) => {
    capsule.write(text)
    await Promise.resolve()
  },
  note: async (text) => {
    capsule.writeError(text)
    await Promise.resolve()
  },
  ...{ clock, join },
  signal: capsule.stopping,
  ...(terminal === undefined ? {} : { terminal })
}
if (terminal === undefined) capsule.writeError(`${FIRST_USE_NOTICE}\n`)
await runChat(place, init)
// Its timers and its terminal would keep it running.
capsule.exit(0)
