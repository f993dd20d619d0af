import type { Did } from '#did'
import { answerOf, type Challenge } from './challenge.ts'
import { NONCE_BYTES, PREPARED_HOLDERS_MAX, PREPARED_PER_HOLDER } from './constants.ts'
import { liveHolders, type KeeperCore } from './core.ts'
import type { Root } from './types.ts'

/** A challenge and its answer. */
export interface PreparedAnswer {
  readonly nonce: Uint8Array
  readonly expected: Uint8Array
}

/**
 * Makes challenges and their answers for everybody who holds a root now, while its bytes are here: who lets its own copy go
 * can challenge them later. What was prepared before is replaced. Gives for how many holders it did.
 */
export async function prepareAnswers(core: KeeperCore, root: Root): Promise<number> {
  const goal = core.state.goals.get(root)?.goal
  if (goal === undefined || (await core.content.size(root, core)) === undefined) return 0
  const holders = [...liveHolders(core, goal).keys()]
    .filter((holder) => holder !== core.self)
    .slice(0, PREPARED_HOLDERS_MAX)
  await core.state.dropPrepared(root)
  let count = 0
  for (const holder of holders) {
    const answers: PreparedAnswer[] = []
    while (answers.length < PREPARED_PER_HOLDER) {
      core.signal.throwIfAborted()
      const made = await freshChallenge(core, root, holder)
      if (made === undefined) return count
      answers.push(made)
    }
    await core.state.putPrepared(root, holder, answers)
    count++
  }
  return count
}

/** A challenge that nobody could foresee, and its answer by what is here; `undefined` when it is not here whole. */
export async function freshChallenge(
  core: Pick<KeeperCore, 'content' | 'random' | 'signal'>,
  root: Root,
  holder: Did
): Promise<PreparedAnswer | undefined> {
  const challenge: Challenge = { root, holder, nonce: core.random.bytes(NONCE_BYTES) }
  const expected = await answerOf(core, challenge)
  return expected === undefined ? undefined : { nonce: challenge.nonce, expected }
}
