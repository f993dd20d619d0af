/**
 * Capability tokens: who may do what to what, signed, chained, and only ever narrower. Pure: no I/O, no clock of its
 * own; use counts, revocations and the epoch are the verifier's to keep.
 *
 * @example
 * ```ts
 * import { systemRandom } from '#contracts'
 * import { createKeyPair } from '#did'
 * import { issueToken, verifyChain } from '#capability'
 *
 * const [device, capsule] = [createKeyPair(systemRandom), createKeyPair(systemRandom)]
 * const access = { audience: capsule.did, resource: 'localhost://notes/a.txt', epoch: 0 }
 * const token = issueToken(
 *   device,
 *   { ...access, command: 'localhost/read', resource: 'localhost://notes/*', expiresAtMs: 2_000 },
 *   systemRandom
 * )
 * const verdict = verifyChain([token], {
 *   ...access,
 *   root: device.did,
 *   subject: capsule.did,
 *   command: 'localhost/write',
 *   nowMs: 1_000,
 *   ceiling: [{ command: 'localhost/*', resource: 'localhost://*' }],
 *   isRevoked: () => false
 * })
 * console.log(verdict.isAllowed, verdict.code) // false ERR_TOKEN_COMMAND
 * ```
 *
 * @packageDocumentation
 */
export { CapabilityError } from './errors.ts'
export type { CapabilityErrorCode, NameErrorCode, TokenErrorCode } from './errors.ts'
export {
  CHAIN_LINKS_MAX,
  RESOURCE_BYTES_MAX,
  TOKEN_BYTES_MAX,
  TOKEN_COUNTER_MAX,
  TOKEN_VERSION
} from './constants.ts'
export { commandCovers, parseCommand, parseCommandPattern } from './command.ts'
export { parseResource, parseResourcePattern, resourceCovers } from './resource.ts'
export type { Token, TokenFields } from './token.ts'
export { issueToken } from './issue-token.ts'
export { decodeToken } from './token-codec.ts'
export { verifyChain } from './verify-chain.ts'
export type { Access, CeilingEntry, Check, CheckName, Verdict, VerifyOptions } from './verify-chain.ts'
export { createVerifier } from './verifier.ts'
export type { Verifier, VerifierInit } from './verifier.ts'
