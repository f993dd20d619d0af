import { createHash } from 'node:crypto'
import type { Did } from '#did'
import { CHALLENGE_BLOCKS, REPLICA_DOMAIN } from './constants.ts'
import type { KeeperCore } from './core.ts'
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
