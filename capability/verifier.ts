import { VERIFIED_CHAINS_MAX } from './constants.ts'
import type { Token } from './token.ts'
import {
  ACCESS_STEPS,
  CHAIN_STEPS,
  runChecks,
  type Access,
  type Check,
  type Verdict,
  type VerifyOptions
} from './verify-chain.ts'
import { signedParts } from './token-codec.ts'

/** Options of {@link createVerifier}. */
export interface VerifierInit {
  /** Chains remembered; 4,096 when absent. */
  readonly chainsMax?: number
}

/** {@link verifyChain} with a memory. */
export interface Verifier {
  /** The same verdict as {@link verifyChain}, at all times. */
  verify(chain: readonly Token[], access: Access, options?: VerifyOptions): Verdict
}

/**
 * A verifier that remembers which chains are sound in themselves (versions, signatures, links, narrowing), which can
 * never change. Everything that can (time, epoch, revocation, who asks for what) is checked every time.
 */
export function createVerifier({ chainsMax = VERIFIED_CHAINS_MAX }: VerifierInit = {}): Verifier {
  // By leaf: a sound chain is named by its last link, since each names the one before it by its hash.
  const sound = new Map<string, { readonly chain: readonly Token[]; readonly checks: readonly Check[] }>()
  return {
    verify: (chain, access, options = {}) => {
      const leaf = chain.at(-1)?.cid ?? ''
      const known = sound.get(leaf)
      const isKnown = known !== undefined && isSameChain(known.chain, chain)
      const structure = isKnown
        ? { isAllowed: true, checks: known.checks }
        : runChecks(CHAIN_STEPS, { chain, access }, options)
      if (!structure.isAllowed && options.all !== true) return structure
      // Moved to the end: the one not used for longest goes first.
      if (structure.isAllowed) {
        sound.delete(leaf)
        sound.set(leaf, isKnown ? known : { chain: [...chain], checks: structure.checks })
        for (const oldest of sound.size > chainsMax ? sound.keys().take(1) : []) sound.delete(oldest)
      }
      const rest = runChecks(ACCESS_STEPS, { chain, access }, options)
      return joined(structure, rest)
    }
  }
}

function joined(first: Verdict, second: Verdict): Verdict {
  const checks = [...first.checks, ...second.checks]
  const code = first.code ?? second.code
  return code === undefined ? { isAllowed: true, checks } : { isAllowed: false, code, checks }
}

/** By hash, and only tokens made here, so that an object with a borrowed CID is looked at in full. */
function isSameChain(known: readonly Token[], chain: readonly Token[]): boolean {
  return (
    known.length === chain.length &&
    chain.every(
      (token, index) =>
        token === known[index] || (token.cid === known[index]?.cid && signedParts(token) !== undefined)
    )
  )
}
