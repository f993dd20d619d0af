/** One of the two things a benchmark compares: does it once and says what came, in the benchmark's unit. */
export type Measure = () => Promise<number>

/** The two sides, ready to be measured again and again; disposing them ends what they run. */
export interface Sides extends AsyncDisposable {
  readonly ours: Measure
  readonly baseline: Measure
}

/** A comparison that `npm run bench` knows by its name. */
export interface Benchmark {
  readonly name: string
  readonly unit:
    | 'µs'
    | 'ms'
    | 's'
    | 'MiB'
    | 'MB/s'
    | 'messages/s'
    | 'lookups'
    | 'of 20'
    | 'round trips'
    | 'events/s'
    | 'bytes'
    | '× real time'
  /** Whether fewer of the unit is better (times, memory) or more (rates). */
  readonly better: 'lower' | 'higher'
  readonly baselineName: string
  /** How often each side is measured. */
  readonly runs: number
  /**
   * What `speedup` is made of: the medians of both sides when absent, or the median of what each pair of neighbouring runs
   * shows, for differences that are smaller than what the machine does from one minute to the next.
   */
  readonly compare?: 'pairs'
  /** What it was told by the environment, shown beside the result. */
  readonly setting?: string
  /** What the project has set itself, shown beside the result; none where there is no target yet. */
  readonly target?: Target
  /** Why it cannot run on this machine, `undefined` when it can. */
  readonly missing?: () => Promise<string | undefined>
  readonly open: () => Promise<Sides>
}

/** A goal: at most this much of the unit, or a speedup of at least this. */
export interface Target {
  readonly oursMax?: number
  readonly speedupMin?: number
}

/** What a benchmark found; `speedup` above 1 means that we are better. Medians, in `unit`. */
export interface BenchmarkResult {
  readonly name: string
  readonly unit: string
  readonly ours: number
  readonly baselineName: string
  readonly baseline: number
  readonly speedup: number
  /** Where the middle half of the pairs is, for a benchmark that compares pairs. */
  readonly speedupQuartiles?: readonly [lower: number, upper: number]
  readonly runs: number
  readonly setting?: string
}

/**
 * Measures both sides alternately, the first of a pair changing each time, after one unmeasured run of each:
 * what disturbs the machine then disturbs both.
 *
 * @param runs - how often each side is measured
 */
export async function runBenchmark(
  benchmark: Benchmark,
  runs: number = benchmark.runs
): Promise<BenchmarkResult> {
  await using sides = await benchmark.open()
  await sides.baseline()
  await sides.ours()
  const ours: number[] = []
  const baseline: number[] = []
  for (let run = 0; run < runs; run += 1) {
    if (run % 2 === 0) ours.push(await sides.ours())
    baseline.push(await sides.baseline())
    if (run % 2 === 1) ours.push(await sides.ours())
  }
  return resultOf(benchmark, ours, baseline)
}

function resultOf(
  benchmark: Benchmark,
  ours: readonly number[],
  baseline: readonly number[]
): BenchmarkResult {
  const [mine, theirs] = [median(ours), median(baseline)]
  const speedupOf = (mine: number, theirs: number): number =>
    benchmark.better === 'lower' ? theirs / mine : mine / theirs
  const pairs = ours.map((value, index) => speedupOf(value, baseline[index] ?? NaN))
  const isPaired = benchmark.compare === 'pairs'
  return {
    name: benchmark.name,
    unit: benchmark.unit,
    ours: rounded(mine),
    baselineName: benchmark.baselineName,
    baseline: rounded(theirs),
    speedup: rounded(isPaired ? median(pairs) : speedupOf(mine, theirs)),
    ...(isPaired ? { speedupQuartiles: quartiles(pairs) } : {}),
    runs: ours.length,
    ...(benchmark.setting === undefined ? {} : { setting: benchmark.setting })
  }
}

/** Whether a result reaches its target; `undefined` when there is none. */
export function reaches(result: BenchmarkResult, target: Target | undefined): boolean | undefined {
  if (target === undefined) return undefined
  const { oursMax = Infinity, speedupMin = 0 } = target
  return result.ours <= oursMax && result.speedup >= speedupMin
}

/**
 * The middle of some measurements, the mean of the two middle ones of an even number.
 *
 * @throws RangeError when there are none
 */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)]
  const lower = sorted[Math.floor((sorted.length - 1) / 2)]
  if (upper === undefined || lower === undefined)
    throw new RangeError('expected at least one measurement, got none')
  return (lower + upper) / 2
}

/** The medians of the lower and of the upper half. */
function quartiles(values: readonly number[]): [number, number] {
  const sorted = values.toSorted((a, b) => a - b)
  const half = Math.ceil(sorted.length / 2)
  return [rounded(median(sorted.slice(0, half))), rounded(median(sorted.slice(-half)))]
}

/** Three digits say more than a machine repeats. */
function rounded(value: number): number {
  return Number(value.toPrecision(4))
}
