import { dirname, resolve } from 'node:path'
import { MANIFEST_PATH, parseManifest, systemPowers } from '#capsule-host'
import { CONTROL_LIMITS, errorCode, errorDetail, errorMessage, type ControlEvent } from '#contracts'
import { createCapsuleView } from '../capsule-view.ts'
import type { CliContext, CommandInput, ControlCall, ControlClient } from '../context.ts'
import { CliError } from '../errors.ts'
import { optionalArgument, restArguments, switchOption } from '../input.ts'
import { createInputRouter, type InputRouter } from '../input-router.ts'
import { createProgressLine, printNotice, type ProgressLine } from '../output.ts'
import { watchFolder } from '../watch-folder/powers.ts'

/** `elastos capsule dev [FOLDER] [ARGS…]`: builds and runs it, again whenever its sources change, until Ctrl-C. */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const folder = resolve(context.workingFolder, optionalArgument(input, 'folder') ?? '.')
  await using client = await context.connect()
  const router = createInputRouter(() => context.stdin)
  const line = createProgressLine(context.stderr, () => context.clock.monotonicMs())
  const isRaw = switchOption(input, 'raw')
  const onEvent = createCapsuleView({ context, client, router, line, isRaw })
  using watch = watchFolder(folder, await ignoredBy(folder))
  const feed = createFeed(router)
  const stop = new Promise<void>((done) => {
    context.signal.addEventListener('abort', () => done(), { once: true })
  })
  const run: DevRun = { context, client, feed, line, onEvent }
  const params = { target: folder, args: restArguments(input, 'args') }
  while (!context.signal.aborted) {
    const turn = new AbortController()
    const running = runOnce(run, params, AbortSignal.any([context.signal, turn.signal]))
    await Promise.race([watch.next(), stop])
    turn.abort(new Error('the sources changed'))
    await running
    if (!context.signal.aborted) await printNotice(context, 'changed: built and run again')
  }
}

interface DevRun {
  readonly context: CliContext
  readonly client: ControlClient
  readonly feed: Feed
  readonly line: ProgressLine
  readonly onEvent: (event: ControlEvent) => Promise<void>
}

/** One run, from the sources as they are; never rejects, because the next change may mend what is wrong. */
async function runOnce(
  { context, client, feed, line, onEvent }: DevRun,
  { target, args }: { target: string; args: string[] },
  signal: AbortSignal
): Promise<void> {
  const canAsk = context.stdinIsTerminal && context.stderr.isTerminal && !context.json
  try {
    const call = client.open('capsule.run', { target, args, dev: true, canAsk }, { signal, onEvent })
    feed.into(call)
    const { exitCode } = await call.result
    await line.end()
    await printNotice(context, `ended with code ${exitCode}; waiting for a change`)
  } catch (thrown) {
    await line.end()
    if (signal.aborted) return
    const lines = [`${errorMessage(thrown)} (${errorCode(thrown) ?? 'ERR_UNKNOWN'})`, ...errorDetail(thrown)]
    for (const text of lines) await printNotice(context, text)
    await printNotice(context, 'waiting for a change')
  }
}

/** Standard input, for whichever run is the current one: what one run did not read the next one does not get. */
interface Feed {
  into(call: ControlCall<'capsule.run'>): void
}

function createFeed(router: InputRouter): Feed {
  let current: ControlCall<'capsule.run'> | undefined
  let isEnded = false
  const end = async (): Promise<void> => {
    await current?.send({ kind: 'stdin-end' })
  }
  const pump = async (): Promise<void> => {
    for await (const chunk of router.forCapsule) {
      for (let start = 0; start < chunk.byteLength; start += CONTROL_LIMITS.chunkBytesMax) {
        const part = chunk.subarray(start, start + CONTROL_LIMITS.chunkBytesMax)
        // A run that ended takes nothing more; the next one may.
        await current
          ?.send({ kind: 'stdin', base64: Buffer.from(part).toString('base64') })
          .catch(() => undefined)
      }
    }
    isEnded = true
    await end()
  }
  let isStarted = false
  return {
    into: (call) => {
      current = call
      if (isEnded) void end().catch(() => undefined)
      if (!isStarted) void pump().catch(() => undefined)
      isStarted = true
    }
  }
}

/** What a build writes, what version control and packages keep: no sources. */
async function ignoredBy(folder: string): Promise<(path: string) => boolean> {
  const bytes = await systemPowers.readFile(`${folder}/${MANIFEST_PATH}`, 1024 * 1024)
  if (bytes === undefined)
    throw new CliError('ERR_USAGE', `expected a ${MANIFEST_PATH} in ${folder}, got none`)
  const output = dirname(parseManifest(bytes).entry)
  return (path) =>
    path.split('/').some((part) => part.startsWith('.') || part === 'node_modules') ||
    (output !== '.' && (path === output || path.startsWith(`${output}/`))) ||
    // What was found for a list of packages.
    /^debian\.lock\./.test(path) ||
    // An image is also written under another name before it is whole.
    /\.(?:wasm|erofs)(?:\.|$)/.test(path)
}
