import { join } from 'node:path'
import { createTemporaryFolder } from '../test/support/temporary-folder.ts'
import { isKuboThere, kuboProgram } from './fetch-plain.ts'
import { openFetchSide, type Fetched, type FetchSide } from './fetch-rig.ts'
import { HELIA_WIDTH, isFlushed } from './fetch-side.ts'
import type { Benchmark, Target } from './harness.ts'
import { writeRandomFile } from './random-file.ts'

/** 1 GiB, or what `BENCH_BYTES` says. */
const BYTES = Number(process.env['BENCH_BYTES'] ?? 1024 ** 3)
const MEGABYTE = 1e6
/** First bytes differ by half from round to round, on either side. */
const ROUNDS = 9
const SIDES = ['ours', 'helia', 'tls', 'curl', 'kubo'] as const
type SideName = (typeof SIDES)[number]

/** One fetch by each side. */
type Round = Readonly<Partial<Record<SideName, Fetched>>>

/** `BENCH_SIDES=ours,curl`: only these. */
const wanted = process.env['BENCH_SIDES']?.split(',') ?? SIDES
const isWanted = (side: SideName): boolean =>
  side === 'ours' || (wanted.includes(side) && (side !== 'kubo' || isKuboThere()))

/**
 * A file from the disk of one process to the disk of another, which are connected and know each other. In each round each
 * side fetches once, the order turning from round to round; all cases are read from the same rounds. Ours and Helia fetch
 * twice in a round: from a server that was started after the import, whose memory is watched, and again. Each side ends when all is on the client's disk (`sync -f`, unless `BENCH_FLUSH=0`).
 */
class Rounds {
  readonly #rounds: Round[] = []
  #rig: Promise<{ sides: Map<SideName, FetchSide>; stack: AsyncDisposableStack }> | undefined

  async round(index: number): Promise<Round> {
    while (this.#rounds.length <= index) this.#rounds.push(await this.#run(this.#rounds.length))
    return this.#rounds[index] as Round
  }

  async close(): Promise<void> {
    const rig = this.#rig
    this.#rig = undefined
    await (await rig)?.stack.disposeAsync()
  }

  async #run(index: number): Promise<Round> {
    const { sides } = await (this.#rig ??= openRig())
    const names = [...sides.keys()]
    const turned = names.map((_, at) => names[(at + index) % names.length] as SideName)
    const round: Partial<Record<SideName, Fetched>> = {}
    for (const name of turned) round[name] = await measure(name, sides.get(name) as FetchSide)
    console.error(JSON.stringify({ round: index, ...round }))
    return round
  }
}

/** The memory is that of a server which has just been started; the rest is of the next fetch from it. */
async function measure(name: SideName, side: FetchSide): Promise<Fetched> {
  if (name !== 'ours' && name !== 'helia') return await side.fetch()
  await side.restart()
  const { serverMib } = await side.fetch()
  return { ...(await side.fetch()), serverMib }
}

async function openRig(): Promise<{ sides: Map<SideName, FetchSide>; stack: AsyncDisposableStack }> {
  await using stack = new AsyncDisposableStack()
  const { path: folder } = stack.use(await createTemporaryFolder())
  const source = join(folder, 'file')
  await writeRandomFile(source, BYTES)
  const sides = new Map<SideName, FetchSide>()
  for (const side of SIDES.filter(isWanted))
    sides.set(side, stack.use(await openFetchSide({ side, folder, source })))
  return { sides, stack: stack.move() }
}

const rounds = new Rounds()

/** All of it, with the memory and the first byte of the same fetches. */
export const benchmarks: readonly Benchmark[] = [
  rate('helia', 'stock Helia bitswap (session, 32 wide)', { speedupMin: 5 }),
  rate('tls', 'a bare TLS 1.3 socket', { speedupMin: 0.5 }),
  rate('curl', 'curl from a plain HTTP server', { speedupMin: 0.6 }),
  rate('kubo', 'Kubo fetching from Kubo', { speedupMin: 1 }),
  {
    ...compare('first-byte', 'helia', ({ firstMs }) => firstMs),
    ...{ unit: 'ms', better: 'lower', baselineName: 'stock Helia' },
    target: { oursMax: 50, speedupMin: 10 }
  },
  {
    ...compare('server-memory', 'helia', ({ serverMib }) => serverMib),
    ...{ unit: 'MiB', better: 'lower', baselineName: 'stock Helia' },
    target: { oursMax: 64 }
  }
]

function rate(side: SideName, baselineName: string, target: Target): Benchmark {
  const figure = ({ seconds }: Fetched): number => BYTES / MEGABYTE / seconds
  return { ...compare(side, side, figure), baselineName, unit: 'MB/s', better: 'higher', target }
}

function compare(
  name: string,
  side: SideName,
  figure: (fetched: Fetched) => number
): Pick<Benchmark, 'name' | 'runs' | 'setting' | 'missing' | 'open'> {
  return {
    name: `fetch-1gib-${name}`,
    runs: ROUNDS,
    setting: `${BYTES / 1024 ** 2} MiB (BENCH_BYTES=${BYTES}), ${isFlushed ? 'flushed' : 'not flushed'} (BENCH_FLUSH=${isFlushed ? 1 : 0}), Helia ${HELIA_WIDTH} wide (BENCH_HELIA_WIDTH)`,
    missing: async () => await Promise.resolve(missingSide(side)),
    open: async () => {
      const counts = { ours: 0, [side]: 0 }
      const measure = async (of: SideName): Promise<number> => {
        const index = counts[of] ?? 0
        counts[of] = index + 1
        return figure((await rounds.round(index))[of] as Fetched)
      }
      return await Promise.resolve({
        ours: async () => await measure('ours'),
        baseline: async () => await measure(side),
        [Symbol.asyncDispose]: async () => await rounds.close()
      })
    }
  }
}

function missingSide(side: SideName): string | undefined {
  if (!wanted.includes(side)) return `expected ${side} in BENCH_SIDES`
  return isWanted(side) ? undefined : `expected Kubo at ${kuboProgram()}`
}
