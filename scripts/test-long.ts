import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'

/**
 * `npm run test:long -- NAME [--seed N] [--minutes N] [--reset]`: runs `test/long/NAME.long.ts` in slices. After each its
 * state is on disk, so that a run which is interrupted, or out of minutes, goes on there the next time.
 */

const FOLDER = join(import.meta.dirname, '..', 'test', 'long')
const SUFFIX = '.long.ts'

/** What a file of `test/long/` exports as `longTest`. The state is JSON. */
export interface LongTest<State> {
  /** Where it begins. */
  begin(seed: number): State
  /** One slice of at most a minute or so; throws when what is tested does not hold. */
  slice(
    state: State,
    seed: number
  ): Promise<{ readonly state: State; readonly isDone: boolean; readonly note: string }>
  /** Ends what lives from one slice to the next; called when this process runs no more of them. */
  end?(): Promise<void>
}

interface Progress {
  readonly seed: number
  readonly slices: number
  readonly state: unknown
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seed: { type: 'string' },
      minutes: { type: 'string', default: '10' },
      reset: { type: 'boolean', default: false }
    }
  })
  const known = readdirSync(FOLDER).flatMap((file) =>
    file.endsWith(SUFFIX) ? [file.slice(0, -SUFFIX.length)] : []
  )
  const [name] = positionals
  if (name === undefined || !known.includes(name)) {
    console.error(`expected one of ${known.join(', ')}; got ${name ?? 'nothing'}`)
    process.exitCode = 64
    return
  }
  const file = progressFile(name)
  if (values.reset) rmSync(file, { force: true })
  const seed = values.seed === undefined ? undefined : Number(values.seed)
  const { longTest } = (await import(join(FOLDER, `${name}${SUFFIX}`))) as { longTest: LongTest<unknown> }
  const progress = resume(file, longTest, seed)
  console.log(`${name}: seed ${progress.seed}, slice ${progress.slices + 1}`)
  try {
    await runSlices({ name, file, longTest, progress, minutes: Number(values.minutes) })
  } finally {
    await longTest.end?.()
  }
}

function progressFile(name: string): string {
  const folder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'elastos', 'test-long')
  mkdirSync(folder, { recursive: true })
  return join(folder, `${name}.json`)
}

/** Goes on where the last run stopped, unless another seed is asked for. */
function resume(file: string, longTest: LongTest<unknown>, seed: number | undefined): Progress {
  const saved = readProgress(file)
  if (saved !== undefined && (seed === undefined || seed === saved.seed)) return saved
  const fresh = seed ?? randomInt(2 ** 31)
  return { seed: fresh, slices: 0, state: longTest.begin(fresh) }
}

function readProgress(file: string): Progress | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Progress
  } catch {
    return undefined
  }
}

async function runSlices(o: {
  name: string
  file: string
  longTest: LongTest<unknown>
  progress: Progress
  minutes: number
}): Promise<void> {
  const deadlineMs = performance.now() + o.minutes * 60_000
  let progress = o.progress
  while (performance.now() < deadlineMs) {
    const { seed } = progress
    try {
      const { state, isDone, note } = await o.longTest.slice(progress.state, seed)
      progress = { seed, slices: progress.slices + 1, state }
      console.log(`${o.name}: slice ${progress.slices}: ${note}`)
      if (isDone) {
        rmSync(o.file, { force: true })
        console.log(`${o.name}: passed with seed ${seed} after ${progress.slices} slices`)
        return
      }
      writeFileSync(`${o.file}.new`, JSON.stringify(progress))
      renameSync(`${o.file}.new`, o.file)
    } catch (error) {
      console.error(error)
      console.error(
        `${o.name}: FAILED in slice ${progress.slices + 1}; again: npm run test:long -- ${o.name} --seed ${seed}`
      )
      process.exitCode = 1
      return
    }
  }
  console.log(`${o.name}: not done, ${progress.slices} slices so far; the same command goes on`)
}

await main()
