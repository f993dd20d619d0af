import { createHash } from 'node:crypto'
import type { Did } from '#did'
import { withDeadline } from './asker.ts'
import {
  CHALLENGE_BLOCKS,
  CHALLENGE_DEADLINE_MS,
  DISTRUST_MS,
  NONCE_BYTES,
  REPLICA_DOMAIN
} from './constants.ts'
import { careOf, goalOf, liveHolders, type ChallengeResult, type KeeperCore } from './core.ts'
import type { Root } from './types.ts'

/** What a holder is to show. */
export interface Challenge {
  readonly root: Root
  readonly nonce: Uint8Array
  readonly holder: Did
}

/**
 * The places of the blocks that a nonce asks for: {@link CHALLENGE_BLOCKS} draws of all blocks of a root, so a root of fewer
 * blocks is asked for whole.
 */
export function challengePlaces(nonce: Uint8Array, blocks: number): number[] {
  if (blocks <= CHALLENGE_BLOCKS) return Array.from({ length: blocks }, (_, place) => place)
  return Array.from({ length: CHALLENGE_BLOCKS }, (_, draw) => {
    const digest = createHash('sha256').update(nonce).update(Uint8Array.of(draw)).digest()
    // 48 bits over far fewer blocks: no place is favoured by anything that matters
    return digest.readUIntBE(0, 6) % blocks
  })
}

/**
 * The answer to a challenge: SHA-256 over the domain, the nonce, the holder's did and the blocks, each with its length before
 * it. The did makes an answer useless to anybody else.
 */
export function challengeDigest(
  { nonce, holder }: Pick<Challenge, 'nonce' | 'holder'>,
  blocks: readonly Uint8Array[]
): Uint8Array {
  const hash = createHash('sha256')
    .update(`${REPLICA_DOMAIN} challenge\n`)
    .update(nonce)
    .update(`${holder}\n`)
  for (const block of blocks) {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(block.length)
    hash.update(length).update(block)
  }
  return Uint8Array.from(hash.digest())
}

/** The answer by what is here; `undefined` when it is not here whole. */
export async function answerOf(
  { content, signal }: Pick<KeeperCore, 'content' | 'signal'>,
  challenge: Challenge
): Promise<Uint8Array | undefined> {
  const size = await content.size(challenge.root, { signal })
  if (size === undefined) return undefined
  const places = challengePlaces(challenge.nonce, size.blocks)
  return challengeDigest(challenge, await content.blocks(challenge.root, places, { signal }))
}

/**
 * Challenges one holder of a root that is here too, and remembers what became of it. It shows that the holder reaches the
 * bytes in time, not that they are on a disk of its own. `undefined` when it could not be asked.
 */
export async function challengeHolder(
  core: KeeperCore,
  root: Root,
  holder: Did
): Promise<ChallengeResult | undefined> {
  const nonce = core.random.bytes(NONCE_BYTES)
  const expected = await answerOf(core, { root, nonce, holder })
  if (expected === undefined) return undefined
  const fromMs = core.clock.monotonicMs()
  const answer = await core.asker.ask(
    holder,
    { ask: 'challenge', root, nonce },
    { timeoutMs: CHALLENGE_DEADLINE_MS }
  )
  // No answer at all is the business of its lease.
  if (answer === undefined) return undefined
  const isPassed = answer.answer !== null && Buffer.compare(answer.answer, expected) === 0
  const tookMs = Math.round(core.clock.monotonicMs() - fromMs)
  const result = { atMs: Math.floor(core.clock.nowMs()), isPassed, tookMs }
  careOf(core, root).challenges.set(holder, result)
  if (!isPassed) {
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
  const { challenges } = careOf(core, root)
  const live = liveHolders(core, goal)
  live.delete(core.self)
  for (const holder of challenges.keys()) if (!live.has(holder)) challenges.delete(holder)
  const order = [...live.keys()].sort(
    (a, b) => (challenges.get(a)?.atMs ?? 0) - (challenges.get(b)?.atMs ?? 0)
  )
  const [first] = order
  if (first === undefined) return
  await withDeadline({ ...core, timeoutMs: 2 * CHALLENGE_DEADLINE_MS }, async () => {
    await challengeHolder(core, root, first)
  })
}
