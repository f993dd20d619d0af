import { errorMessage } from '#contracts'
import type { Did } from '#did'
import { withDeadline } from './asker.ts'
import {
  CLOCK_AHEAD_MS,
  FOUND_MAX,
  GREET_STEP_MS,
  MEETINGS_PER_ANNOUNCEMENT,
  MEET_TIMEOUT_MS,
  MET_MAX,
  OFFER_EVERY_MS,
  OFFER_MS,
  OFFERS_PER_MESSAGE,
  POOL_LARGE,
  SYNC_PEERS,
  SYNC_PEERS_LARGE,
  SYNC_TURNS_MAX
} from './constants.ts'
import { poolsAsked, poolsGivenTo, poolsSought, quotaItems, type KeeperCore } from './core.ts'
import { openGroup } from './groups.ts'
import { bytesOf } from './quota.ts'
import { signOffer } from './records.ts'
import type { JoinedGroup } from './state.ts'
import type { PoolId } from './types.ts'

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
    const last = core.offers.offerOf(pool, core.self)
    const before = last !== undefined && last.expiresAtMs > nowMs ? last : undefined
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

/** Exchanges offers of every pool with some of those met there; with fewer where many are known, for then each exchange is long. */
export async function syncOffers(core: KeeperCore): Promise<void> {
  for (const pool of poolsJoined(core)) {
    const met = [...(core.met.get(pool) ?? [])].filter((device) => !core.asker.isDown(device))
    const count = core.offers.sizeOf(pool) < POOL_LARGE ? SYNC_PEERS : SYNC_PEERS_LARGE
    await Promise.all(choose(core, met, count).map(async (device) => await syncWith(core, pool, device)))
  }
}

/** Exchanges the offers of one pool with one device, until neither lacks any or so many went both ways. False when it is not there. */
async function syncWith(core: KeeperCore, pool: PoolId, device: Did): Promise<boolean> {
  const own = core.offers.bytesOf(pool, core.self)
  let offers = own === undefined ? [] : [own]
  for (let turn = 0; turn < SYNC_TURNS_MAX; turn++) {
    const nowMs = core.clock.nowMs()
    const have = core.offers.namesOf(pool, nowMs)
    const answer = await core.asker.ask(device, { ask: 'sync', pool, have, offers })
    if (answer === undefined) return turn > 0
    takeOffers(core, pool, answer.offers)
    offers = someOf(core, core.offers.named(pool, answer.want, nowMs), OFFERS_PER_MESSAGE)
    // an answer that is full may leave some out
    if (offers.length === 0 && answer.offers.length < OFFERS_PER_MESSAGE) return true
  }
  return true
}

/** So many of them, one behind the other from a place by lot: who asks several at once gets others from each. */
export function someOf<T>({ random }: Pick<KeeperCore, 'random'>, all: readonly T[], count: number): T[] {
  if (all.length <= count) return [...all]
  const from = Math.floor(random.unit() * all.length)
  return [...all.slice(from, from + count), ...all.slice(0, Math.max(0, from + count - all.length))]
}

/**
 * Makes this device findable in its pools, each again after a while, and looks for others there. Gives how many it did not
 * know, where few are known: to a large pool somebody comes all the time, exchanges bring their offers, and who looked sooner for
 * each of them would never stop looking. Whoever asks finds those who give, and they each other.
 */
export async function meetOthers(core: KeeperCore, announced: Map<PoolId, number>): Promise<number> {
  const given = new Set([...poolsGivenTo(core), ...core.state.groups.keys()])
  const found = await Promise.all(
    poolsSought(core).map(async (pool) => {
      const nowMs = core.clock.monotonicMs()
      if (given.has(pool) && nowMs >= (announced.get(pool) ?? 0)) {
        await attempt(core, async (signal) => {
          await core.network.announce(pool, { signal })
          // The first ones went to whoever was known so shortly after a start.
          const turns = announced.has(pool) ? MEETINGS_PER_ANNOUNCEMENT : 1
          announced.set(pool, nowMs + core.limits.meetEveryMs * (turns - 1 / 2))
        })
      }
      core.offers.prune(pool, core.clock.nowMs())
      // As it was before: to whoever is new here everybody is, and what he has placed nowhere yet is to be placed soon.
      const isLarge = core.offers.sizeOf(pool) >= POOL_LARGE
      const news = await meetIn(core, pool)
      return isLarge ? 0 : news
    })
  )
  return found.reduce((sum, count) => sum + count, 0)
}

/** Looks for others of one pool. Gives how many it did not know who are there. */
export async function meetIn(core: KeeperCore, pool: PoolId): Promise<number> {
  const news = new Set<Did>()
  await attempt(core, async (signal) => {
    for await (const device of core.network.find(pool, { signal })) {
      if (!isMet(core, pool, device)) news.add(device)
      if (news.size >= FOUND_MAX) break
    }
  })
  for (const device of news) noteMet(core, pool, device)
  return await greetAll(core, pool, news)
}

/**
 * Exchanges offers with some one after the other, so that each is asked for what those before did not bring; who takes long
 * holds up the others for a moment only. Gives how many of them are there.
 */
async function greetAll(core: KeeperCore, pool: PoolId, devices: Iterable<Did>): Promise<number> {
  const greetings: Promise<boolean>[] = []
  let count = 0
  for (const device of devices) {
    // in a large pool those before have brought its offer, and will take ours to it
    if (core.offers.sizeOf(pool) >= POOL_LARGE && hasOffer(core, pool, device)) {
      count++
      continue
    }
    const greeting = syncWith(core, pool, device)
    // where the keeper stops all of them end, and one is enough to say so
    greeting.catch(() => undefined)
    greetings.push(greeting)
    const late = Promise.withResolvers<undefined>()
    using _timer = core.clock.after(GREET_STEP_MS, () => late.resolve(undefined))
    await Promise.race([greeting, late.promise])
  }
  const answered = await Promise.all(greetings)
  return count + answered.filter((isThere) => isThere).length
}

/** Of many only those met last are remembered, and the offers of all: who offers is nobody new. */
function isMet(core: KeeperCore, pool: PoolId, device: Did): boolean {
  if (device === core.self || core.met.get(pool)?.has(device) === true) return true
  return hasOffer(core, pool, device)
}

function hasOffer({ offers, clock }: KeeperCore, pool: PoolId, device: Did): boolean {
  return (offers.offerOf(pool, device)?.expiresAtMs ?? 0) > clock.nowMs()
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
    return group.id === id && !core.isDenied(group.person) ? [{ group, signed: Uint8Array.from(signed) }] : []
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
