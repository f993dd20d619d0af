import { errorMessage } from '#contracts'
import type { Did } from '#did'
import { withDeadline } from './asker.ts'
import {
  CLOCK_AHEAD_MS,
  FOUND_MAX,
  MEET_TIMEOUT_MS,
  OFFER_EVERY_MS,
  OFFER_MS,
  OFFERS_PER_MESSAGE,
  SYNC_PEERS
} from './constants.ts'
import { poolsAsked, poolsGivenTo, poolsSought, quotaItems, type KeeperCore } from './core.ts'
import { openGroup } from './groups.ts'
import { bytesOf } from './quota.ts'
import { signOffer } from './records.ts'
import type { JoinedGroup } from './state.ts'
import type { PoolId } from './types.ts'

/** Devices remembered of one pool beside those that offer. */
const MET_MAX = 256

/** Remembers that a device belongs to a pool, the latest met last. */
export function noteMet(core: Pick<KeeperCore, 'met' | 'self'>, pool: PoolId, device: Did): void {
  if (device === core.self) return
  const met = core.met.get(pool) ?? new Set<Did>()
  met.delete(device)
  met.add(device)
  while (met.size > MET_MAX) for (const oldest of met.keys().take(1)) met.delete(oldest)
  core.met.set(pool, met)
}

/** Pools this device takes part in. */
export function poolsJoined(core: KeeperCore): PoolId[] {
  return [...new Set([...poolsGivenTo(core), ...poolsAsked(core)])]
}

/** Signs what this device gives to each pool anew, when the last is old or `isChanged`; ends offers to pools it left. */
export function renewOffers(core: KeeperCore, isChanged: boolean): void {
  const nowMs = Math.floor(core.clock.nowMs())
  const given = poolsGivenTo(core)
  for (const pool of poolsJoined(core)) {
    if (!given.includes(pool)) core.offers.remove(pool, core.self)
  }
  const { choice } = core.state
  if (choice === undefined) return
  const used = given.length === 0 ? 0 : bytesOf(quotaItems(core))
  for (const pool of given) {
    // of a clock that went back since: nobody takes what was signed after their now
    const { issuedAtMs = 0 } = core.offers.offerOf(pool, core.self) ?? {}
    if (issuedAtMs > nowMs + CLOCK_AHEAD_MS) core.offers.remove(pool, core.self)
    const before = core.offers.of([pool], nowMs).find(({ holder }) => holder === core.self)
    if (!isChanged && before !== undefined && nowMs < before.issuedAtMs + OFFER_EVERY_MS) continue
    const signed = signOffer(core, {
      pool,
      spaceBytes: choice.spaceBytes,
      freeBytes: Math.max(0, choice.spaceBytes - used),
      host: choice.host === '' ? core.self.slice(-LABEL_CHARS) : choice.host,
      network: choice.network,
      // never the same twice: the later holds
      issuedAtMs: Math.max(nowMs, (before?.issuedAtMs ?? 0) + 1),
      expiresAtMs: nowMs + OFFER_MS
    })
    core.offers.take(pool, signed, { nowMs })
  }
}

/** As much of a did as names a host. */
const LABEL_CHARS = 48

/** Takes offers in; one that is not valid costs the others nothing. */
export function takeOffers(core: KeeperCore, pool: string, offers: readonly Uint8Array[]): void {
  const batch = { nowMs: core.clock.nowMs() }
  for (const bytes of offers) {
    try {
      const offer = core.offers.take(pool, bytes, batch)
      if (offer !== undefined) noteMet(core, pool, offer.holder)
    } catch (thrown) {
      core.logger.debug('an offer is not valid', { reason: errorMessage(thrown) })
    }
  }
}

/** Exchanges offers of every pool with some of those met there. */
export async function syncOffers(core: KeeperCore): Promise<void> {
  for (const pool of poolsJoined(core)) {
    const met = [...(core.met.get(pool) ?? [])].filter((device) => !core.asker.isDown(device))
    await Promise.all(choose(core, met, SYNC_PEERS).map(async (device) => await syncWith(core, pool, device)))
  }
}

/** Exchanges the offers of one pool with one device. */
export async function syncWith(core: KeeperCore, pool: PoolId, device: Did): Promise<void> {
  const nowMs = core.clock.nowMs()
  const own = core.offers.bytesOf(pool, core.self)
  const offers = own === undefined ? [] : [own]
  const have = core.offers.namesOf(pool, nowMs)
  const answer = await core.asker.ask(device, { ask: 'sync', pool, have, offers })
  if (answer === undefined) return
  takeOffers(core, pool, answer.offers)
  const wanted = core.offers.named(pool, answer.want, nowMs).slice(0, OFFERS_PER_MESSAGE)
  if (wanted.length > 0) await core.asker.ask(device, { ask: 'sync', pool, have, offers: wanted })
}

/**
 * Makes this device findable in its pools, each again after a while, and looks for others there. Gives how many it did not
 * know. Whoever asks finds those who give, and they each other.
 */
export async function meetOthers(core: KeeperCore, announced: Map<PoolId, number>): Promise<number> {
  const given = new Set([...poolsGivenTo(core), ...core.state.groups.keys()])
  const found = await Promise.all(
    poolsSought(core).map(async (pool) => {
      const nowMs = core.clock.monotonicMs()
      if (given.has(pool) && nowMs >= (announced.get(pool) ?? 0)) {
        await attempt(core, async (signal) => {
          await core.network.announce(pool, { signal })
          announced.set(pool, nowMs + core.limits.meetEveryMs / 2)
        })
      }
      return await meetIn(core, pool)
    })
  )
  return found.reduce((sum, count) => sum + count, 0)
}

/** Looks for others of one pool. Gives how many it did not know. */
export async function meetIn(core: KeeperCore, pool: PoolId): Promise<number> {
  const news: Did[] = []
  await attempt(core, async (signal) => {
    for await (const device of core.network.find(pool, { signal })) {
      if (device !== core.self && core.met.get(pool)?.has(device) !== true) news.push(device)
      if (news.length >= FOUND_MAX) break
    }
  })
  for (const device of news) noteMet(core, pool, device)
  await Promise.all(news.map(async (device) => await syncWith(core, pool, device)))
  return news.length
}

/** The latest list of a group's members that some of its pool have. */
export async function askGroup(core: KeeperCore, id: PoolId): Promise<JoinedGroup | undefined> {
  const met = choose(core, [...(core.met.get(id) ?? [])], SYNC_PEERS)
  const answers = await Promise.all(
    met.map(async (device) => await core.asker.ask(device, { ask: 'group', id }))
  )
  const lists = answers.flatMap((answer) => {
    const group = answer?.group ?? undefined
    return group === undefined ? [] : readGroup(core, id, group)
  })
  return lists.sort((a, b) => b.group.issuedAtMs - a.group.issuedAtMs)[0]
}

function readGroup(core: KeeperCore, id: PoolId, signed: Uint8Array): JoinedGroup[] {
  try {
    const group = openGroup(signed)
    return group.id === id && !core.isDenied(group.person) ? [{ group, signed }] : []
  } catch (thrown) {
    core.logger.debug('a list of a group is not valid', { reason: errorMessage(thrown) })
    return []
  }
}

async function attempt(core: KeeperCore, task: (signal: AbortSignal) => Promise<void>): Promise<void> {
  try {
    await withDeadline({ ...core, timeoutMs: MEET_TIMEOUT_MS }, task)
  } catch (thrown) {
    core.signal.throwIfAborted()
    core.logger.debug('nobody was met', { reason: errorMessage(thrown) })
  }
}

/** Some of them, by lot. */
function choose<T>({ random }: Pick<KeeperCore, 'random'>, all: readonly T[], count: number): T[] {
  const left = [...all]
  const chosen: T[] = []
  while (chosen.length < count && left.length > 0) {
    chosen.push(...left.splice(Math.floor(random.unit() * left.length), 1))
  }
  return chosen
}
