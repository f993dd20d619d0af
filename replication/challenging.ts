import type { Did } from '#did'
import { withDeadline } from './asker.ts'
import { CHALLENGE_DEADLINE_MS, DISTRUST_MS, PREPARED_EVERY_MS, SILENCES_MAX } from './constants.ts'
import { careOf, goalOf, liveHolders, type ChallengeResult, type KeeperCore } from './core.ts'
import { freshChallenge } from './prepared.ts'
import type { Root } from './types.ts'

/**
 * Challenges one holder of a root that is here too, or for which answers were prepared, and remembers what became of it. It
 * shows that the holder reaches the bytes in time, not that they are on a disk of its own. `undefined` when it could not be
 * asked, or has not answered and may yet.
 */
export async function challengeHolder(
  core: KeeperCore,
  root: Root,
  holder: Did
): Promise<ChallengeResult | undefined> {
  // a prepared challenge that nobody hears would be lost
  if (core.asker.isDown(holder)) return undefined
  const challenge =
    (await freshChallenge(core, root, holder)) ?? (await core.state.takePrepared(root, holder))
  if (challenge === undefined) return undefined
  const { nonce, expected } = challenge
  const fromMs = core.clock.monotonicMs()
  const answer = await core.asker.ask(
    holder,
    { ask: 'challenge', root, nonce },
    { timeoutMs: CHALLENGE_DEADLINE_MS }
  )
  const { challenges, silences } = careOf(core, root)
  const silence = answer === undefined ? (silences.get(holder) ?? 0) + 1 : 0
  silences.set(holder, silence)
  // No answer once is the business of its lease; who goes on renewing that and never answers has failed.
  if (answer === undefined && silence < SILENCES_MAX) return undefined
  const given = answer?.answer ?? undefined
  const isPassed = given !== undefined && Buffer.compare(given, expected) === 0
  const tookMs = Math.round(core.clock.monotonicMs() - fromMs)
  const result = { atMs: Math.floor(core.clock.nowMs()), isPassed, tookMs }
  challenges.set(holder, result)
  if (!isPassed) {
    silences.delete(holder)
    core.logger.warn('a holder failed a challenge', { root, holder })
    core.leases.distrust(root, holder, core.clock.monotonicMs() + DISTRUST_MS)
    core.hurry()
  }
  return result
}

/** Challenges the holder of one root, both by lot, among those that were not challenged for longest. */
export async function challengeSome(core: KeeperCore): Promise<void> {
  const roots = [...core.state.held.keys(), ...core.state.goals.keys()]
  const root = roots[Math.floor(core.random.unit() * roots.length)]
  const goal = root === undefined ? undefined : goalOf(core, root)?.goal
  if (root === undefined || goal === undefined) return
  const { challenges, silences } = careOf(core, root)
  const live = liveHolders(core, goal)
  live.delete(core.self)
  for (const holder of challenges.keys()) if (!live.has(holder)) challenges.delete(holder)
  for (const holder of silences.keys()) if (!live.has(holder)) silences.delete(holder)
  const lastMs = (holder: Did): number => challenges.get(holder)?.atMs ?? 0
  const [first] = [...live.keys()].sort((a, b) => lastMs(a) - lastMs(b))
  if (first === undefined) return
  // what was prepared is not used up within a day
  const isDue = core.content.has(root) || core.clock.nowMs() >= lastMs(first) + PREPARED_EVERY_MS
  if (!isDue) return
  await withDeadline({ ...core, timeoutMs: 2 * CHALLENGE_DEADLINE_MS }, async () => {
    await challengeHolder(core, root, first)
  })
}
