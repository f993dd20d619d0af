import type { Random } from '#contracts'
import type { Signer } from '#did'
import { commandCovers, parseCommandPattern } from './command.ts'
import { TOKEN_COUNTER_MAX, TOKEN_NONCE_BYTES } from './constants.ts'
import { CapabilityError } from './errors.ts'
import { parseResourcePattern, resourceCovers } from './resource.ts'
import type { Token, TokenFields } from './token.ts'
import { sealToken, signedParts } from './token-codec.ts'

/** The bounds of a token that a derived one may only narrow. */
export type TokenBounds = Pick<
  Token,
  'subject' | 'command' | 'resource' | 'notBeforeMs' | 'expiresAtMs' | 'epoch' | 'usesMax'
>

/**
 * Issues a root token, or with `parent` one derived from it: the parent's audience signs, and every bound is stated
 * anew, as narrow as the parent's or narrower.
 *
 * @throws CapabilityError `ERR_TOKEN_WIDER` when a bound is wider than the parent's, `ERR_TOKEN_CHAIN` when `issuer` is
 * not the parent's audience, `ERR_COMMAND_INVALID`, `ERR_RESOURCE_INVALID`, `ERR_TOKEN_MALFORMED` for a number out of
 * range; DidError `ERR_DID_INVALID`
 */
export function issueToken(issuer: Signer, fields: TokenFields, random: Random): Token {
  const { parent } = fields
  if (parent !== undefined && signedParts(parent) === undefined) {
    throw new CapabilityError('ERR_TOKEN_CHAIN', 'expected a parent that was issued or decoded here')
  }
  if (parent !== undefined && parent.audience !== issuer.did) {
    throw new CapabilityError('ERR_TOKEN_CHAIN', `expected ${parent.audience} to issue, got ${issuer.did}`)
  }
  const notBeforeMs = fields.notBeforeMs ?? parent?.notBeforeMs
  const usesMax = fields.usesMax ?? parent?.usesMax
  const bounds: TokenBounds = {
    subject: fields.subject ?? parent?.subject ?? fields.audience,
    command: parseCommandPattern(fields.command),
    resource: parseResourcePattern(fields.resource),
    expiresAtMs: fields.expiresAtMs,
    epoch: fields.epoch,
    ...(notBeforeMs === undefined ? {} : { notBeforeMs }),
    ...(usesMax === undefined ? {} : { usesMax })
  }
  assertNumbers(bounds)
  const wider = parent === undefined ? undefined : widerBound(parent, bounds)
  if (wider !== undefined)
    throw new CapabilityError('ERR_TOKEN_WIDER', `expected no wider ${wider} than the parent's`)
  return sealToken(issuer, {
    ...bounds,
    audience: fields.audience,
    nonce: random.bytes(TOKEN_NONCE_BYTES),
    ...(parent === undefined ? {} : { proof: parent.cid })
  })
}

/** The first bound in which `child` would allow what `parent` does not, or undefined when it only narrows. */
export function widerBound(parent: TokenBounds, child: TokenBounds): string | undefined {
  if (child.subject !== parent.subject) return 'subject'
  if (!commandCovers(parent.command, child.command)) return 'command'
  if (!resourceCovers(parent.resource, child.resource)) return 'resource'
  if ((child.notBeforeMs ?? 0) < (parent.notBeforeMs ?? 0)) return 'not before'
  if ((child.expiresAtMs ?? Infinity) > (parent.expiresAtMs ?? Infinity)) return 'expiry'
  if (child.epoch !== parent.epoch) return 'epoch'
  if ((child.usesMax ?? Infinity) > (parent.usesMax ?? Infinity)) return 'number of uses'
  return undefined
}

function assertNumbers({ notBeforeMs = 0, expiresAtMs, epoch, usesMax = 1 }: TokenBounds): void {
  const isTime = (value: number): boolean => Number.isSafeInteger(value) && value >= 0
  if (!isTime(notBeforeMs) || !isTime(expiresAtMs ?? 0)) {
    throw new CapabilityError(
      'ERR_TOKEN_MALFORMED',
      'expected times in whole milliseconds since the Unix epoch'
    )
  }
  if (
    !isTime(epoch) ||
    epoch > TOKEN_COUNTER_MAX ||
    !isTime(usesMax) ||
    usesMax > TOKEN_COUNTER_MAX ||
    usesMax < 1
  ) {
    throw new CapabilityError(
      'ERR_TOKEN_MALFORMED',
      `expected an epoch and uses of at most ${TOKEN_COUNTER_MAX}`
    )
  }
}
