import { writeSync } from 'node:fs'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import type { Authority } from '#capsule-host'
import { keyPairFromSeed } from '#did'
// By their files: the whole folder takes longer to load than a worker lives.
import { openAuthority } from '../../../capsule-host/authority/open-authority.ts'
import { createLevelAuthorityStore } from '../../../capsule-host/authority/powers.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'

/**
 * A process that grants, uses, revokes and denies without end in the folder it is given, and says on its standard output what it was
 * told: only after it was told. `authority-worker.ts FOLDER SEED`, until it is killed.
 */
const [folder = '', seed = '0'] = process.argv.slice(2)
const random = createSeededRandom(Number(seed))
const LINEAGES = ['did:key:zP/a', 'did:key:zP/b', 'did:key:zP/c']
const CEILING = [{ command: 'localhost/*', resource: 'localhost://*' }]
const USES_MAX = 5

const authority = await openAuthority(
  {
    store: await createLevelAuthorityStore(folder, silentLogger),
    device: keyPairFromSeed(new Uint8Array(32).fill(5)),
    ...{ clock: systemClock, random: systemRandom, logger: silentLogger }
  },
  // Small, so that snapshots and rotation happen under the knife as well.
  { snapshotEntries: 40, auditBytesMax: 60_000 }
)
if (authority.damage !== undefined) throw new Error(authority.damage)
/** What may be revoked: all that is held. */
const held: string[] = authority.list().map(({ cid }) => cid)

function tell(line: string): void {
  writeSync(1, `${line}\n`)
}

function pick<T>(values: readonly T[]): T {
  const value = values[Math.floor(random.unit() * values.length)]
  if (value === undefined) throw new Error('expected something to pick from')
  return value
}

async function use(on: Authority, lineage: string): Promise<void> {
  const request = {
    lineage,
    sessionId: 's',
    ceiling: CEILING,
    command: 'localhost/read',
    resource: 'localhost://n/a'
  }
  const { isAllowed, tokens } = await on.authorize(request)
  if (isAllowed) for (const cid of tokens) tell(`used ${cid}`)
}

async function step(on: Authority): Promise<void> {
  const lineage = pick(LINEAGES)
  const dice = random.unit()
  if (dice < 0.1 && held.length < 100) {
    const usesMax = 1 + Math.floor(random.unit() * USES_MAX)
    const pattern = { command: 'localhost/read', resource: 'localhost://n/*' }
    const { cid } = await on.grant({ lineage, ...pattern, scope: 'always', usesMax, decidedBy: 'person' })
    held.push(cid)
    tell(`granted ${cid} ${usesMax}`)
  } else if (dice < 0.14 && held.length > 0) {
    const cid = pick(held)
    held.splice(held.indexOf(cid), 1)
    await on.revoke(cid)
    tell(`revoked ${cid}`)
  } else if (dice < 0.142) {
    await on.revokeAll()
    held.length = 0
    tell(`epoch ${on.epoch}`)
  } else if (dice < 0.16) {
    const resource = `localhost://denied-${Math.floor(random.unit() * 50)}`
    await on.remember({ lineage, command: 'localhost/read', resource, isAllowed: false, decidedBy: 'person' })
    tell(`denied ${lineage} ${resource}`)
  } else {
    await use(on, lineage)
  }
}

tell('ready')
for (;;) await Promise.all(Array.from({ length: 8 }, async () => await step(authority)))
