import type { ControlEvent } from '#contracts'
import type { CliContext, ControlClient } from './context.ts'
import { CliError } from './errors.ts'
import { jsonLine } from './output.ts'

/** Which room, as whom. */
export interface ChatInit {
  readonly room: string
  readonly nick: string
}

/** A line longer than this is refused before it is sent; the room's own limit is smaller. */
const LINE_BYTES_MAX = 64 * 1024

/** Chat for programs: each line of standard input is said, each event of the room is a JSON object a line. */
export async function runChatJson(context: CliContext, client: ControlClient, init: ChatInit): Promise<void> {
  const done = new AbortController()
  const signal = AbortSignal.any([context.signal, done.signal])
  const { room, nick } = init
  const onEvent = async (event: ControlEvent): Promise<void> => await writeEvent(context, event)
  const call = client.open('chat.join', { room, nick }, { signal, onEvent })
  const said = sayLines(context.stdin, signal, async (text) => await call.send({ kind: 'text', text }))
  // The end of the input is the end of the visit, once what was said has gone out.
  said.then(
    () => done.abort(),
    (reason: unknown) => done.abort(reason)
  )
  await call.result
  // Without an interrupt the input is at its end by now; its own fault is then the reason to tell.
  if (!context.signal.aborted) await said
}

async function writeEvent(context: CliContext, event: ControlEvent): Promise<void> {
  if (event.kind === 'notice') await context.stdout.write(jsonLine({ event: 'notice', text: event.text }))
  if (event.kind !== 'room') return
  const { type, ...fields } = event.event
  await context.stdout.write(jsonLine({ event: type, ...fields }))
}

/** Reads lines of text, bounded, and hands each on when the one before was taken. */
export async function sayLines(
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  say: (line: string) => Promise<void>
): Promise<void> {
  const text = new TextDecoder('utf-8', { fatal: true })
  let rest = ''
  for await (const chunk of input) {
    if (signal.aborted) return
    rest += decode(text, chunk)
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line.trim() !== '') await say(line.replace(/\r$/, ''))
    if (rest.length > LINE_BYTES_MAX) {
      throw new CliError('ERR_USAGE', `expected lines of at most ${LINE_BYTES_MAX} bytes`)
    }
  }
  if (rest.trim() !== '') await say(rest)
}

function decode(text: TextDecoder, chunk: Uint8Array): string {
  try {
    return text.decode(chunk, { stream: true })
  } catch (cause) {
    throw new CliError('ERR_USAGE', 'expected text in UTF-8, got binary', { cause })
  }
}
