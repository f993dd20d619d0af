// A node with a crowd of capsules, in a process of its own: says when all are up, and at the end what came of them.
import { setTimeout as sleep } from 'node:timers/promises'
import {
  createCapsulePool,
  DEFAULT_CAPSULE_LIMITS,
  findGuestEntry,
  probeSandbox,
  startCapsuleProcess,
  systemPowers,
  type CapsuleProcessInit
} from '#capsule-host'
import { silentLogger, systemClock } from '#contracts'
import { startNode } from '#node'
import { ANSWERS, FLOODS } from './capsule-programs.ts'
import { spreadOf, type CrowdInit, type CrowdReport } from './capsule-crowd.ts'
import { assembleProgram } from './wat.ts'

const SPINS = assembleProgram({
  imports: ['fd_write'],
  fields: '(data (i32.const 0) "\\10\\00\\00\\00\\06\\00\\00\\00ready\\0a  ready\\0a")',
  body: `(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32))) (loop $next (br $next))`
})
const LIMITS = { ...DEFAULT_CAPSULE_LIMITS, outputBytesMax: 2 ** 36, cpuSecondsMax: 3600 }
const CALL_PERIOD_MS = 1000

type Channel = NonNullable<CapsuleProcessInit['channel']>

/** Asks one capsule once a second and keeps what it answers. */
class Caller {
  readonly up: PromiseWithResolvers<void> = Promise.withResolvers()
  readonly #takenMs: number[] = []
  readonly #open: { text: string; atMs: number }[] = []
  asked = 0
  answered = 0
  misplaced = 0
  #send: ((text: string) => void) | undefined

  readonly channel: Channel = (port) => {
    this.#send = (text) => port.send(Buffer.from(text))
    this.#ask()
    return { push: (bytes) => this.#take(Buffer.from(bytes).toString()), close: () => undefined }
  }

  get takenMs(): readonly number[] {
    return this.#takenMs
  }

  /** Forgets what was until now, and asks until `endMs`. */
  async run(endMs: number): Promise<void> {
    ;[this.asked, this.answered] = [0, 0]
    this.#takenMs.length = 0
    while (performance.now() < endMs) {
      this.#ask()
      await sleep(CALL_PERIOD_MS)
    }
  }

  #ask(): void {
    this.asked += 1
    const text = `{"id":${this.asked}}\n`
    this.#open.push({ text, atMs: performance.now() })
    this.#send?.(text)
  }

  #take(said: string): number {
    const lines = said.split('\n').slice(0, -1)
    for (const line of lines) {
      const call = this.#open.shift()
      if (call?.text !== `${line}\n`) this.misplaced += 1
      else this.#takenMs.push(performance.now() - call.atMs)
      this.answered += 1
    }
    this.up.resolve()
    return lines.length
  }
}

const { dataFolder, guestEntry, spinning, flooding, answering, durationMs } = JSON.parse(
  process.argv[2] ?? ''
) as CrowdInit & { dataFolder: string }
await using _node = await startNode({
  dataFolder,
  reach: 'local',
  listen: ['/ip4/127.0.0.1/tcp/0'],
  mdns: false
})
const components = { powers: systemPowers, clock: systemClock, logger: silentLogger }
const sandbox = await probeSandbox(components, { guestEntry: guestEntry ?? findGuestEntry() })
await using pool = createCapsulePool({ ...components, sandbox })
const stop = new AbortController()
const ended: Record<string, number> = {}
const runs: Promise<void>[] = []
const startedMs = performance.now()

function start(module: Uint8Array, more: { channel?: Channel; onOutput?: (bytes: number) => void }): void {
  const { finished } = startCapsuleProcess(
    { ...components, sandbox, pool },
    {
      name: 'crowd',
      module,
      limits: LIMITS,
      stdin: { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }) },
      stdout: { write: (bytes) => more.onOutput?.(bytes.byteLength) },
      stderr: { write: () => undefined },
      ...(more.channel === undefined ? {} : { channel: more.channel }),
      signal: stop.signal
    }
  )
  const note = async (): Promise<void> => {
    const outcome = await finished
    const code = outcome.kind === 'exit' ? String(outcome.exitCode) : outcome.error.code
    if (!stop.signal.aborted) ended[code] = (ended[code] ?? 0) + 1
  }
  runs.push(note())
}

/** Resolves when `count` of `module` have said something; each piece is then added to `bytes`. */
function startTalking(module: Uint8Array, bytes: number[]): Promise<void>[] {
  return bytes.map((_, index) => {
    const up = Promise.withResolvers<void>()
    const onOutput = (length: number): void => {
      bytes[index] = (bytes[index] ?? 0) + length
      up.resolve()
    }
    start(module, { onOutput })
    return up.promise
  })
}

const callers = Array.from({ length: answering }, () => new Caller())
for (const { channel } of callers) start(ANSWERS, { channel })
const flooded = Array.from({ length: flooding }, () => 0)
const up = [
  ...callers.map((caller) => caller.up.promise),
  ...startTalking(
    SPINS,
    Array.from({ length: spinning }, () => 0)
  ),
  ...startTalking(FLOODS, flooded)
]
await Promise.all(up)
console.log(
  JSON.stringify({
    event: 'up',
    upMs: Math.round(performance.now() - startedMs)
  })
)
flooded.fill(0)
const endMs = performance.now() + durationMs
await Promise.all(callers.map(async (caller) => await caller.run(endMs)))
// What was asked last may still be on its way.
const patienceMs = performance.now() + 30_000
while (callers.some((caller) => caller.answered < caller.asked) && performance.now() < patienceMs)
  await sleep(20)
const report: Omit<CrowdReport, 'statusMs' | 'upMs'> = {
  asked: callers.map((caller) => caller.asked),
  answered: callers.map((caller) => caller.answered),
  misplaced: callers.reduce((sum, caller) => sum + caller.misplaced, 0),
  answerMs: spreadOf(callers.flatMap((caller) => caller.takenMs)),
  floodedBytes: [...flooded],
  ended
}
stop.abort()
await Promise.all(runs)
console.log(JSON.stringify({ event: 'done', report }))
