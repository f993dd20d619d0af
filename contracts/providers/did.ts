import * as z from 'zod'
import type { CallCommand, ProviderContract } from './contract.ts'
import { data, did as didField, nothing, type Nothing } from './fields.ts'

/** What to sign, and as whom. */
export interface DidSign {
  /** One of the user's own, from `did/personas`. */
  readonly did: string
  /** Base64. What is signed is never these bytes alone: the caller's lineage is bound in, so that no capsule can sign
   * what another, or the node itself, would say. */
  readonly data: string
}

/** A signature over a purpose, a lineage and bytes. */
export interface DidSignature {
  readonly did: string
  /** Base64, the whole envelope: signer, lineage, bytes and signature. */
  readonly envelope: string
}

/** What to verify. */
export interface DidVerify {
  /** Whoever is expected to have signed. */
  readonly did: string
  /** Base64, from `did/sign`. */
  readonly envelope: string
}

/** What an envelope that verifies says. */
export interface DidVerified {
  readonly isValid: boolean
  /** Who the capsule was through which it was signed; absent unless valid. */
  readonly lineage?: string
  /** Base64, what was signed; absent unless valid. */
  readonly data?: string
}

/** Names a did. */
export interface DidName {
  readonly did: string
}

/** A did resolved, all of it computed from the did itself. */
export interface DidDocument {
  readonly did: string
  /** Base64, 32 bytes of Ed25519. */
  readonly publicKey: string
  readonly peerId: string
}

/** One of the user's own names. */
export interface Persona {
  readonly did: string
  readonly name: string
  readonly kind: 'person' | 'device'
}

/** The user's own names. */
export interface Personas {
  readonly personas: readonly Persona[]
}

/** The commands of the contract, for an SDK. */
export interface DidCommands {
  readonly sign: CallCommand<DidSign, DidSignature>
  readonly verify: CallCommand<DidVerify, DidVerified>
  readonly resolve: CallCommand<DidName, DidDocument>
  readonly personas: CallCommand<Nothing, Personas>
}

const EXAMPLE = 'did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH'
const envelope: z.ZodType<string> = z.base64().max(60_000)
const resource = (params: DidName): string => `elastos://did/${params.did}`

/** Who the user is, and who others are. Keys never leave the host. */
export const did: ProviderContract<DidCommands> = {
  name: 'did',
  version: 1,
  summary: 'identity: sign, verify, resolve',
  errors: ['ERR_DID_INVALID', 'ERR_PERSONA_UNKNOWN', 'ERR_KEY_LOCKED'],
  commands: {
    sign: {
      kind: 'call',
      summary: 'sign as you',
      params: z.strictObject({ did: didField, data }),
      result: z.strictObject({ did: didField, envelope }),
      resource,
      example: { did: EXAMPLE, data: 'aGVsbG8=' }
    },
    verify: {
      kind: 'call',
      summary: 'check a signature',
      params: z.strictObject({ did: didField, envelope }),
      result: z.strictObject({
        isValid: z.boolean(),
        lineage: z.exactOptional(z.string().max(256)),
        data: z.exactOptional(data)
      }),
      resource,
      example: { did: EXAMPLE, envelope: 'aGVsbG8=' }
    },
    resolve: {
      kind: 'call',
      summary: "look at somebody's did",
      params: z.strictObject({ did: didField }),
      result: z.strictObject({ did: didField, publicKey: z.base64().max(64), peerId: z.string().max(128) }),
      resource,
      example: { did: EXAMPLE }
    },
    personas: {
      kind: 'call',
      summary: 'see who you are',
      params: nothing,
      result: z.strictObject({
        personas: z
          .array(
            z.strictObject({ did: didField, name: z.string().max(64), kind: z.enum(['person', 'device']) })
          )
          .max(64)
      }),
      resource: () => 'elastos://did/personas',
      example: {}
    }
  }
}
