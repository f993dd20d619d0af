import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { silentLogger, systemClock, systemRandom, type Random } from '#contracts'
import { createLevelAuthorityStore, openAuthority } from '#capsule-host'
import { keyPairFromSeed } from '#did'
import { startProcess, type RunningProcess } from '../../support/process.ts'

/** Answers after which a worker is killed at the latest. */
const ANSWERS_MAX = 60
const WORKER = fileURLToPath(import.meta.resolve('./authority-worker.ts'))

/** What workers were told before they were killed, over all of them. */
export interface Told {
  /** Uses by token: how many were told, and how many there may be. */
  readonly uses: Record<string, number>
  readonly usesMax: Record<string, number>
  readonly revoked: string[]
  readonly denied: string[]
  epoch: number
  lines: number
}

/** Nothing told yet. */
export function createTold(): Told {
  return { uses: {}, usesMax: {}, revoked: [], denied: [], epoch: 0, lines: 0 }
}

/** Starts a worker on the store in `folder` and kills it at a random moment; adds what it was told. */
export async function killOnce(folder: string, told: Told, random: Random): Promise<void> {
  const seed = Math.floor(random.unit() * 2 ** 31)
  await using worker = await startProcess({ command: process.execPath, args: [WORKER, folder, String(seed)] })
  // Some die while they open the store: then nothing was told, and the store must open all the same.
  if (random.unit() < 0.9) await workedFor(worker, Math.floor(random.unit() * ANSWERS_MAX))
  await sleep(random.unit() * (random.unit() < 0.9 ? 20 : 300))
  worker.signal('SIGKILL')
  const { signal } = await worker.ended
  assert.equal(signal, 'SIGKILL', `the worker ended by itself: ${worker.stderr.text()}`)
  // The last line may be cut: it was not told then.
  for (const line of worker.stdout.text().split('\n').slice(0, -1)) hear(told, line)
}

/** Resolves when a worker was told so much, or after a while: a busy machine is no reason to kill only idle ones. */
async function workedFor(worker: RunningProcess, answers: number): Promise<void> {
  for (let turn = 0; turn < 200; turn++) {
    if (worker.stdout.text().split('\n').length > answers + 1) return
    await Promise.race([sleep(10), worker.ended])
  }
}

/** Opens the store and checks that everything told is so. */
export async function checkStore(folder: string, told: Told): Promise<void> {
  const store = await createLevelAuthorityStore(folder, silentLogger)
  const device = keyPairFromSeed(new Uint8Array(32).fill(5))
  const seams = { clock: systemClock, random: systemRandom, logger: silentLogger }
  await using authority = await openAuthority(
    { store, device, ...seams },
    { snapshotEntries: 40, auditBytesMax: 60_000 }
  )
  assert.equal(authority.damage, undefined)
  const verified = await authority.audit.verify()
  assert.equal(verified.isWhole, true, JSON.stringify(verified))
  const replayed = await authority.audit.replay()
  assert.equal(replayed.agrees, true, JSON.stringify(replayed))
  assert.ok(authority.epoch >= told.epoch, 'an epoch was lost')
  const live = new Set(authority.list().map(({ cid }) => cid))
  for (const cid of told.revoked) assert.ok(!live.has(cid), `the revocation of ${cid} was lost`)
  const known = new Map(authority.list({ hasEnded: true }).map((grant) => [grant.cid, grant]))
  for (const [cid, uses] of Object.entries(told.uses)) {
    assert.ok(
      uses <= (told.usesMax[cid] ?? Infinity),
      `${cid} was used ${uses} times of ${told.usesMax[cid]}`
    )
    const grant = known.get(cid)
    // A token that is no longer known cannot be used any more.
    if (grant !== undefined) assert.ok(grant.used >= uses, `a use of ${cid} was lost`)
  }
  for (const denial of told.denied) {
    const [lineage = '', resource = ''] = denial.split(' ')
    assert.notEqual(
      authority.recall({ lineage, resource, command: 'localhost/read' }),
      undefined,
      `${denial} was lost`
    )
  }
}

function hear(told: Told, line: string): void {
  const [what, first = '', second = ''] = line.split(' ')
  told.lines += 1
  if (what === 'used') told.uses[first] = (told.uses[first] ?? 0) + 1
  if (what === 'granted') told.usesMax[first] = Number(second)
  if (what === 'revoked') told.revoked.push(first)
  if (what === 'epoch') told.epoch = Math.max(told.epoch, Number(first))
  if (what === 'denied') told.denied.push(`${first} ${second}`)
}
