import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLevelAuthorityStore, openAuthority, type AccessRequest, type Authority } from '#capsule-host'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import { createKeyPair } from '#did'
import type { Benchmark, Measure, Sides } from './harness.ts'

/** How long a verdict takes: one that takes a use and waits for the disk, many such at once, and one that takes none. */
export const benchmarks: readonly Benchmark[] = [
  {
    name: 'authority-consume',
    unit: 'µs',
    better: 'lower',
    baselineName: 'fsync of as many bytes',
    runs: 10,
    open: () => sides(({ authority }) => consume(authority, { turns: 100, together: 1 }))
  },
  {
    name: 'authority-consume-64',
    unit: 'µs',
    better: 'lower',
    baselineName: 'fsync of as many bytes',
    runs: 10,
    open: () => sides(({ authority }) => consume(authority, { turns: 20, together: 64 }))
  },
  {
    name: 'authority-verdict',
    unit: 'µs',
    better: 'lower',
    baselineName: 'fsync of as many bytes',
    runs: 10,
    open: () => sides(({ authority }) => judge(authority))
  }
]

/** About what one verdict adds to the log. */
const ENTRY_BYTES = 600
const LINEAGE = 'did:key:z6MkBench/notes'
const COUNTED: AccessRequest = {
  ...{ lineage: LINEAGE, sessionId: 'bench', command: 'localhost/read', resource: 'localhost://notes/a.txt' },
  ceiling: [{ command: 'localhost/*', resource: 'localhost://*' }]
}
const FREE: AccessRequest = { ...COUNTED, command: 'localhost/list' }

interface Place {
  readonly folder: string
  readonly authority: Authority
}

async function sides(ours: (place: Place) => Measure): Promise<Sides> {
  const folder = await mkdtemp(join(tmpdir(), 'elastos-bench-'))
  const store = await createLevelAuthorityStore(join(folder, 'authority'), silentLogger)
  const seams = { clock: systemClock, random: systemRandom, logger: silentLogger }
  const authority = await openAuthority({ store, device: createKeyPair(systemRandom), ...seams })
  const pattern = {
    lineage: LINEAGE,
    resource: 'localhost://notes/*',
    scope: 'always',
    decidedBy: 'person'
  } as const
  await authority.grant({ ...pattern, command: 'localhost/read', usesMax: 1_000_000 })
  await authority.grant({ ...pattern, command: 'localhost/list' })
  return {
    ours: ours({ folder, authority }),
    baseline: syncBytes(folder),
    [Symbol.asyncDispose]: async () => {
      await authority[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    }
  }
}

/** Microseconds of one taken use, of `together` at a time. */
function consume(authority: Authority, { turns, together }: { turns: number; together: number }): Measure {
  return async () => {
    const startedAt = performance.now()
    for (let turn = 0; turn < turns; turn += 1) {
      const all = await Promise.all(Array.from({ length: together }, () => authority.authorize(COUNTED)))
      if (!all.every(({ isAllowed }) => isAllowed)) throw new Error('expected every use to be allowed')
    }
    return ((performance.now() - startedAt) * 1000) / (turns * together)
  }
}

function judge(authority: Authority): Measure {
  return async () => {
    const turns = 10_000
    const startedAt = performance.now()
    for (let turn = 0; turn < turns; turn += 1) await authority.authorize(FREE)
    return ((performance.now() - startedAt) * 1000) / turns
  }
}

/** The least that being durable can cost here. */
function syncBytes(folder: string): Measure {
  return async () => {
    const turns = 100
    const bytes = systemRandom.bytes(ENTRY_BYTES)
    await using file = await open(join(folder, 'plain'), 'a')
    const startedAt = performance.now()
    for (let turn = 0; turn < turns; turn += 1) {
      await file.write(bytes)
      await file.datasync()
    }
    return ((performance.now() - startedAt) * 1000) / turns
  }
}
