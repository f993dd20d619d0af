import { orAborted } from '#contracts'
import type { CID } from 'multiformats/cid'
import { DhtError } from './errors.ts'
import type { FoundProvider, ProvideOutcome, Routing, SearchOptions } from './routing.ts'

/**
 * Several DHTs as one: what is announced goes to all of them, what is searched for is yielded as any of them finds it,
 * each provider once. An operation fails only when it fails everywhere, and then as the first of them did.
 */
export function combineRouting(routings: readonly Routing[]): Routing {
  return {
    provide: async (cid, options) => {
      const results = await Promise.allSettled(routings.map((routing) => routing.provide(cid, options)))
      const outcomes = fulfilled(results)
      return { stored: outcomes.reduce((sum, { stored }) => sum + stored, 0) }
    },
    provideQuick: (cid, options) => firstOf(routings.map((routing) => routing.provideQuick(cid, options))),
    keepOnly: async (contents, options) => {
      const all = [...contents]
      fulfilled(await Promise.allSettled(routings.map((routing) => routing.keepOnly(all, options))))
    },
    forget: async (cid, options) => {
      fulfilled(await Promise.allSettled(routings.map((routing) => routing.forget(cid, options))))
    },
    findProviders: (cid, options = {}) => findInAll(routings, cid, options)
  }
}

function fulfilled<T>(results: readonly PromiseSettledResult<T>[]): T[] {
  const values = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const [first] = results
  if (values.length === 0 && first?.status === 'rejected') throw first.reason
  return values
}

async function firstOf(attempts: readonly Promise<ProvideOutcome>[]): Promise<ProvideOutcome> {
  try {
    return await Promise.any(attempts)
  } catch {
    await attempts[0]
    throw new DhtError('ERR_DHT_NOT_STORED', 'expected a DHT to announce in, there is none')
  }
}

type Source = AsyncIterator<FoundProvider>
type Step = {
  readonly source: Source
  readonly result?: IteratorResult<FoundProvider>
  readonly error?: unknown
}

async function* findInAll(
  routings: readonly Routing[],
  cid: CID,
  { signal, ...options }: SearchOptions
): AsyncGenerator<FoundProvider> {
  const leaving = new AbortController()
  const bounds = {
    ...options,
    signal: signal === undefined ? leaving.signal : AbortSignal.any([signal, leaving.signal])
  }
  const pending = new Map<Source, Promise<Step>>()
  const errors: unknown[] = []
  const seen = new Set<string>()
  const pull = (source: Source): void => {
    const step = source.next().then(
      (result) => ({ source, result }),
      (error: unknown) => ({ source, error })
    )
    pending.set(source, step)
  }
  try {
    for (const routing of routings) pull(routing.findProviders(cid, bounds)[Symbol.asyncIterator]())
    while (pending.size > 0) {
      const { source, result, error } = await orAborted(Promise.race(pending.values()), bounds.signal)
      pending.delete(source)
      if (error !== undefined) errors.push(error)
      if (result === undefined || result.done === true) continue
      pull(source)
      if (seen.has(result.value.peerId)) continue
      seen.add(result.value.peerId)
      yield result.value
    }
    signal?.throwIfAborted()
    if (errors.length > 0 && errors.length === routings.length) throw errors[0]
  } finally {
    // a consumer that has enough ends the searches that still run
    leaving.abort()
  }
}
