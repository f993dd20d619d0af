import { errorMessage } from '#contracts'
import { personOfDevice } from '#did'
import { createAnswers } from './answers.ts'
import { createAsker, withDeadline } from './asker.ts'
import { lookAfter, shrink } from './care.ts'
import { challengeSome } from './challenging.ts'
import { HAND_OFF_MS, LEAVE_DEADLINE_MS, LEAVE_GRACE_MS, MEET_SOON_MS } from './constants.ts'
import { careOf, DEFAULT_LIMITS, type KeeperCore } from './core.ts'
import { createKeeper } from './keeper.ts'
import { LeaseBook } from './lease-book.ts'
import { askGroup, meetOthers, renewOffers, syncOffers } from './meeting.ts'
import { OfferBook } from './offer-book.ts'
import { renewAll } from './renew.ts'
import type { Replication, ReplicationInit } from './replication.ts'
import { openState } from './state.ts'
import { Taking } from './taking.ts'
import type { PoolId, ReplicationComponents } from './types.ts'

/** Loops run at their pace, each time a little earlier or later than the last. */
const PACE_JITTER = 0.2

/**
 * Starts keeping: what was agreed, wanted and held before goes on, others are met, leases renewed, goals looked after.
 * Disposing it lets the leases run out within a minute; {@link Replication.leave} hands off before.
 *
 * @throws whatever the store throws when it is read; DidError when the certificate is not of this device
 */
export async function startReplication(
  components: ReplicationComponents,
  init: ReplicationInit = {}
): Promise<Replication> {
  const stopping = new AbortController()
  const asking = new AbortController()
  const core = await createCore(components, init, stopping)
  const taking = new Taking(core.value)
  await using stack = new AsyncDisposableStack()
  stack.defer(() => asking.abort(stopping.signal.reason))
  stack.use(await components.network.handle(createAnswers(core.value, taking)))
  const loops = startLoops(core.value, core)
  const running = stack.move()
  const keeper = createKeeper(core.value, taking)
  let stopped: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    stopping.abort(new Error('replication is stopping'))
    await Promise.all([loops, taking.settled()])
    // What was asked before has ended with the stop, whoever it waited for: this asks anew, and not for long.
    const asker = createAsker({ ...components, signal: asking.signal })
    await sayGoodbye({ ...core.value, asker }, asking.signal)
    await running.disposeAsync()
  }
  return { ...keeper, [Symbol.asyncDispose]: async () => await (stopped ??= stop()) }
}

async function createCore(
  components: ReplicationComponents,
  init: ReplicationInit,
  stopping: AbortController
): Promise<{
  readonly value: KeeperCore
  readonly bell: Bell
  readonly seeking: Bell
  readonly greeting: Bell
}> {
  const { signer, certificate, clock, network } = components
  const logger = components.logger.child('replication')
  const [bell, seeking, greeting] = [createBell(), createBell(), createBell()]
  const core: KeeperCore = {
    ...components,
    logger,
    self: signer.did,
    person: personOfDevice(certificate, signer.did),
    limits: { ...DEFAULT_LIMITS, ...init.limits },
    state: await openState(components.store, logger),
    offers: new OfferBook(components.isDenied),
    leases: new LeaseBook(),
    asker: createAsker({ network, clock, signal: stopping.signal }),
    care: new Map(),
    toldSets: new Map(),
    met: new Map(),
    fetching: new Map(),
    introducing: new Set(),
    cutOff: undefined,
    greetsLapsed: false,
    isPublishing: init.isPublishing ?? (() => false),
    signal: stopping.signal,
    hurry: bell.ring,
    seek: seeking.ring,
    greet: greeting.ring
  }
  const { held, goals } = core.state
  // Whoever holds what we hold has yet to tell us: nothing is missing before they had time to.
  const notBeforeMs = clock.monotonicMs() + core.limits.leaseMs
  for (const root of new Set([...held.keys(), ...goals.keys()])) careOf(core, root).notBeforeMs = notBeforeMs
  // a smaller space may have been said just before the stop
  shrink(core, clock.monotonicMs() + HAND_OFF_MS)
  return { value: core, bell, seeking, greeting }
}

async function startLoops(
  core: KeeperCore,
  { bell, seeking, greeting }: { readonly bell: Bell; readonly seeking: Bell; readonly greeting: Bell }
): Promise<void> {
  const { limits } = core
  let beat = 1
  let soonMs = MEET_SOON_MS
  const announced = new Map<PoolId, number>()
  await Promise.all([
    repeat(
      core,
      () => limits.renewEveryMs,
      async () => {
        renewOffers(core, false)
        await renewAll(core, { termMs: limits.leaseMs, beat: beat++ })
      },
      greeting
    ),
    repeat(
      core,
      () => limits.lookEveryMs,
      async () => {
        await lookAfter(core)
      },
      bell
    ),
    repeat(
      core,
      () => limits.syncEveryMs,
      async () => await syncOffers(core)
    ),
    repeat(
      core,
      () => limits.challengeEveryMs,
      async () => await challengeSome(core)
    ),
    repeat(
      core,
      () => Math.min(soonMs, limits.meetEveryMs),
      async () => {
        renewOffers(core, false)
        const news = await meetOthers(core, announced)
        // Whoever found nobody new, or knows many, looks again later and later.
        soonMs = news > 0 ? MEET_SOON_MS : Math.min(limits.meetEveryMs, soonMs * 2)
        await refreshGroups(core)
        if (news > 0) core.hurry()
      },
      seeking
    )
  ])
}

async function refreshGroups(core: KeeperCore): Promise<void> {
  for (const [id, { group }] of core.state.groups) {
    const latest = await askGroup(core, id)
    if (latest !== undefined && latest.group.issuedAtMs > group.issuedAtMs) {
      await core.state.putGroup(latest.signed)
    }
  }
}

/** Does something again and again until the keeper stops; a failure is logged and costs one turn. */
async function repeat(
  core: KeeperCore,
  everyMs: () => number,
  ...[task, bell]: [task: () => Promise<void>, bell?: Bell]
): Promise<void> {
  const { signal, clock, random } = core
  while (!signal.aborted) {
    try {
      await task()
    } catch (thrown) {
      if (!signal.aborted) core.logger.warn('replication has lost a turn', { reason: errorMessage(thrown) })
    }
    const pauseMs = everyMs() * (1 - PACE_JITTER / 2 + PACE_JITTER * random.unit())
    await sleepUnless({ clock, signal }, pauseMs, bell)
  }
}

/** Sleeps until the time is over, the keeper stops or the bell rings. */
async function sleepUnless(
  { clock, signal }: Pick<KeeperCore, 'clock' | 'signal'>,
  durationMs: number,
  bell?: Bell
): Promise<void> {
  if (signal.aborted) return
  const over = Promise.withResolvers<undefined>()
  const end = (): void => over.resolve(undefined)
  signal.addEventListener('abort', end, { once: true })
  using _timer = clock.after(durationMs, end)
  using _ringing = bell?.listen(end)
  await over.promise
  signal.removeEventListener('abort', end)
}

/** A bell for one listener at a time, which also hears that it rang before. */
interface Bell {
  ring(): void
  listen(listener: () => void): Disposable
}

function createBell(): Bell {
  let hasRung = false
  let heard: (() => void) | undefined
  return {
    ring: () => {
      hasRung = true
      heard?.()
    },
    listen: (listener) => {
      const hear = (): void => {
        hasRung = false
        listener()
      }
      heard = hear
      if (hasRung) hear()
      return { [Symbol.dispose]: () => (heard = undefined) }
    }
  }
}

/** Leases run out soon after a clean stop, and late enough for a restart. */
async function sayGoodbye(core: KeeperCore, signal: AbortSignal): Promise<void> {
  if (core.state.held.size === 0) return
  const termMs = Math.min(LEAVE_GRACE_MS, core.limits.leaseMs)
  try {
    await withDeadline({ clock: core.clock, signal, timeoutMs: LEAVE_DEADLINE_MS }, async () => {
      await renewAll(core, { termMs })
    })
  } catch (thrown) {
    core.logger.debug('not everybody heard that this device stops', { reason: errorMessage(thrown) })
  }
}
