import {
  CAPSULE_CHANNEL_ERROR,
  CodedError,
  errorCode,
  type CapsuleChannelCode,
  type CapsuleFailure,
  type CapsuleRequestId
} from '#contracts'

/** A code that may cross to a capsule: the channel's own, a token's, or one of a provider's contract. */
export type RefusalCode = CapsuleChannelCode | `ERR_TOKEN_${string}` | (string & {})

/** Why the host does not do what a capsule asks. Its code crosses to the capsule, and nothing else. */
export class Refusal extends CodedError<RefusalCode> {}

const { invalidRequest, methodNotFound, invalidParams, internal } = CAPSULE_CHANNEL_ERROR
const { capabilityDenied, busy, unavailable, failed } = CAPSULE_CHANNEL_ERROR

/** The number and the sentence of each code. A sentence says nothing of the host that the code does not. */
const KINDS: Readonly<Record<CapsuleChannelCode, readonly [number: number, sentence: string]>> = {
  ERR_CHANNEL_REQUEST: [invalidRequest, 'expected a request of JSON-RPC 2.0'],
  ERR_CHANNEL_METHOD: [methodNotFound, 'there is no such method'],
  ERR_CHANNEL_PARAMS: [invalidParams, 'the parameters are not as they should be'],
  ERR_CHANNEL_STATE: [invalidRequest, 'initialize comes first, and once'],
  ERR_CHANNEL_VERSION: [unavailable, 'this runtime speaks version 1'],
  ERR_CHANNEL_BUSY: [busy, 'too much is under way'],
  ERR_STREAM_CREDIT: [invalidRequest, 'more came than was allowed'],
  ERR_CAPABILITY_MISSING: [capabilityDenied, 'this capsule holds no capability for that'],
  ERR_CAPABILITY_DENIED: [capabilityDenied, 'this capsule may not do that'],
  ERR_CAPABILITY_CEILING: [capabilityDenied, 'the manifest does not list that'],
  ERR_CAPABILITY_PENDING: [busy, 'a question is still open'],
  ERR_CAPABILITY_UNANSWERED: [capabilityDenied, 'nobody answered in time'],
  ERR_CAPABILITY_UNKNOWN: [capabilityDenied, 'this capsule holds no such token'],
  ERR_CAPABILITY_WIDER: [capabilityDenied, 'that is more than the token allows'],
  ERR_PROVIDER_COMMAND: [methodNotFound, 'no contract this capsule requires has such a command'],
  ERR_PROVIDER_NONE: [unavailable, 'nobody provides that here'],
  ERR_PROVIDER_CYCLE: [unavailable, 'the providers depend on each other'],
  ERR_PROVIDER_GONE: [failed, 'the provider ended'],
  ERR_PROVIDER_TIME_LIMIT: [failed, 'the provider took too long'],
  ERR_PROVIDER_ANSWER: [failed, 'the provider broke its contract'],
  ERR_PROVIDER_FAILED: [failed, 'the provider failed'],
  ERR_POWER_NONE: [capabilityDenied, 'this capsule was not given that power for this'],
  ERR_TERMINAL_NONE: [unavailable, 'there is no terminal'],
  ERR_CANCELLED: [failed, 'the request was cancelled'],
  ERR_SESSION_ENDED: [unavailable, 'the session is over'],
  ERR_INTERNAL: [internal, 'the runtime failed']
}

/** A refusal with the sentence of its code. */
export function refusal(code: CapsuleChannelCode, cause?: unknown): Refusal {
  return new Refusal(code, KINDS[code][1], { cause })
}

/** The answer that tells of a refusal; any other error is the host's own, and says only that. */
export function failureOf(id: CapsuleRequestId | null, thrown: unknown): CapsuleFailure {
  const code = thrown instanceof Refusal ? thrown.code : 'ERR_INTERNAL'
  const [number, message] = kindOf(code)
  return { jsonrpc: '2.0', id, error: { code: number, message, data: { code } } }
}

/** A verdict's code as a refusal. */
export function verdictRefusal(code: string | undefined): Refusal {
  return new Refusal(code ?? 'ERR_CAPABILITY_MISSING', 'the authority refused')
}

/** Why a provider failed, as its caller may know it: a code of the contract, or the host's own word. */
export function providerRefusal(thrown: unknown, errors: readonly string[]): Refusal {
  if (thrown instanceof Refusal) return thrown
  const code = errorCode(thrown)
  if (code !== undefined && errors.includes(code))
    return new Refusal(code, 'the provider refused', { cause: thrown })
  return refusal('ERR_PROVIDER_FAILED', thrown)
}

function kindOf(code: string): readonly [number: number, sentence: string] {
  if (Object.hasOwn(KINDS, code)) return KINDS[code as CapsuleChannelCode]
  if (code.startsWith('ERR_TOKEN_')) return [capabilityDenied, 'no token of this capsule allows that']
  return [failed, 'the provider refused']
}
