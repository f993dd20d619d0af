import { createHash } from 'node:crypto'
import { base32 } from 'multiformats/bases/base32'
import * as z from 'zod'
import { encodeCanonical, type Did } from '#did'
import { GROUP_BYTES_MAX, GROUP_MEMBERS_MAX, GROUP_NAME_CHARS_MAX, REPLICA_DOMAIN } from './constants.ts'
import { ReplicationError } from './errors.ts'
import { certificate, did, open, personOf, seal, wholeNumber, type RecordSigner } from './records.ts'
import type { PoolId } from './types.ts'

const GROUP = { domain: REPLICA_DOMAIN, type: 'group/1' } as const
const NAME = /^[\p{L}\p{N}](?:[\p{L}\p{N} ._-]*[\p{L}\p{N}])?$/u

/** People who keep for each other, verified: the list that the one who made the group signed. */
export interface Group {
  /** Made of who made it and its name. */
  readonly id: PoolId
  readonly name: string
  /** Who made it. */
  readonly person: Did
  readonly members: readonly Did[]
  /** Of two lists of a group the later holds. */
  readonly issuedAtMs: number
}

const payload = z.strictObject({
  certificate,
  name: z.string().max(GROUP_NAME_CHARS_MAX).regex(NAME),
  members: z
    .array(did)
    .min(1)
    .max(GROUP_MEMBERS_MAX)
    .refine((members) => new Set(members).size === members.length),
  issuedAtMs: wholeNumber
})

/** The id of the group that a person made under a name. */
export function groupId(person: Did, name: string): PoolId {
  const digest = createHash('sha256')
    .update(encodeCanonical([REPLICA_DOMAIN, 'group', person, name]))
    .digest()
  return `group:${base32.encode(digest).slice(1)}`
}

/**
 * Signs the list of a group's members.
 *
 * @throws ReplicationError `ERR_GROUP_INVALID`
 */
export function signGroup(
  by: RecordSigner,
  group: { readonly name: string; readonly members: readonly Did[]; readonly issuedAtMs: number }
): Uint8Array {
  try {
    const { name, members, issuedAtMs } = group
    const signed = { certificate: by.certificate, name, members: [...members], issuedAtMs }
    return seal(GROUP, by.signer, payload, signed)
  } catch (cause) {
    throw new ReplicationError(
      'ERR_GROUP_INVALID',
      `expected a name of 1 to ${GROUP_NAME_CHARS_MAX} letters, digits, spaces, . _ or -, and 1 to ${GROUP_MEMBERS_MAX} different members`,
      { cause }
    )
  }
}

/**
 * Verifies the list of a group's members.
 *
 * @throws ReplicationError `ERR_REPLICA_RECORD_INVALID`
 */
export function openGroup(bytes: Uint8Array): Group {
  const opened = open(bytes, { ...GROUP, bytesMax: GROUP_BYTES_MAX }, payload)
  const { certificate: proof, ...group } = opened.payload
  const person = personOf(proof, opened.signer)
  return { id: groupId(person, group.name), person, ...group }
}
