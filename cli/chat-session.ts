import { basename, resolve } from 'node:path'
import {
  runChat,
  type ChatInit,
  type ChatPlace,
  type ChatTold,
  type ChatVisit,
  type ColourDepth
} from '#chat'
import { errorCode, errorMessage } from '#contracts'
import type { CliContext, ControlClient } from './context.ts'

/** Chat over plain lines: what comes on standard input is said, what is said is written to standard output. */
export async function runChatLines(
  context: CliContext,
  client: ControlClient,
  init: ChatInit
): Promise<void> {
  await runChat(placeOf(context, client), init)
}

/** Chat on a whole terminal. */
export async function runChatScreen(
  context: CliContext,
  client: ControlClient,
  init: ChatInit
): Promise<void> {
  const { stdout, environment } = context
  using keyboard = context.openTerminal()
  const terminal = {
    get columns() {
      return stdout.columns
    },
    get rows() {
      return stdout.rows
    },
    colours: colourDepth(environment),
    onResize: (task: () => void) => keyboard.onResize(task)
  }
  await runChat({ ...placeOf(context, client), input: keyboard.keys, terminal }, init)
}

/** This process and the node it talks to, as a chat sees them. */
function placeOf(context: CliContext, client: ControlClient): ChatPlace {
  return {
    input: context.stdin,
    print: async (text) => await context.stdout.write(text),
    note: async (text) => await context.stderr.write(text),
    clock: context.clock,
    signal: context.signal,
    join: (room, before, tell) => joinRoom({ context, client, tell }, room, before),
    share: async (path) => await shareFile(context, client, path),
    block: async (did, isBlocked) => {
      await client.call(isBlocked ? 'deny.add' : 'deny.remove', { subject: did })
    }
  }
}

/** Adds a file as `elastos add` does: whoever hears the CID can fetch it from this node. */
async function shareFile(context: CliContext, client: ControlClient, path: string): Promise<string> {
  const params = { path: resolve(context.workingFolder, path) }
  const { cid } = await client.call('content.add', params, { signal: context.signal })
  return `${basename(path)}: elastos get ${cid}`
}

interface Joining {
  readonly context: CliContext
  readonly client: ControlClient
  readonly tell: ChatTold
}

function joinRoom(
  { context, client, tell }: Joining,
  room: { room: string; nick: string },
  before: Promise<void>
): ChatVisit {
  const leave = new AbortController()
  const signal = AbortSignal.any([leave.signal, context.signal])
  const call = before.then(() =>
    client.open('chat.join', room, {
      signal,
      onEvent: async (event) => {
        if (event.kind === 'room' && !leave.signal.aborted) await tell(event.event)
      }
    })
  )
  const left = call
    .then(async ({ result }) => {
      await result
    })
    .catch((thrown: unknown) => {
      if (leave.signal.aborted) return
      const code = errorCode(thrown) ?? 'ERR_UNKNOWN'
      if (code === 'ERR_NODE_UNREACHABLE') throw thrown
      void tell({ type: 'refused', asked: 'join', code, message: errorMessage(thrown) })
    })
  return {
    say: async (text) => await (await call).send({ kind: 'text', text }),
    direct: async (to, text) => await (await call).send({ kind: 'direct', to, text }),
    rename: async (nick) => await (await call).send({ kind: 'nick', nick }),
    leave: () => leave.abort(),
    left
  }
}

function colourDepth(environment: CliContext['environment']): ColourDepth {
  if (environment['NO_COLOR'] !== undefined || environment['TERM'] === 'dumb') return 'none'
  return environment['TERM']?.includes('256') === true || environment['COLORTERM'] !== undefined
    ? '256'
    : '16'
}
