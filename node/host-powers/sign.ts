import type { HostPower, ProviderRequest } from '#capsule-host'
import { errorCode } from '#contracts'
import { openEnvelope, peerIdFromDid, publicKeyFromDid, sealEnvelope, type Keystore, type Signer } from '#did'
import type {
  DidDocument,
  DidName,
  DidSign,
  DidSignature,
  DidVerified,
  DidVerify,
  Personas
} from '#providers'
import { PowerError, unknownCommand } from './errors.ts'

/** What the power to sign acts on. */
export interface SignPowerComponents {
  readonly keystore: Pick<Keystore, 'device' | 'personDid' | 'publisher' | 'refresh'>
}

/**
 * The domain of what capsules have signed. It is part of what the signature covers and of nothing else that is signed here,
 * so no bytes of a capsule can pass for a certificate, a room message, a capsule's signature or a token.
 */
export const CAPSULE_SIGNATURE_DOMAIN = 'elastos/capsule-data'
/** The type of those envelopes: a map of `lineage` and `data`. */
export const CAPSULE_SIGNATURE_TYPE = 'signed-data/1'
/** Bytes of one of those envelopes. */
const ENVELOPE_BYTES_MAX: number = 48 * 1024

/** Keys of this device, for the provider of `did@1`: they sign for a capsule what says that it is this capsule's. */
export function createSignPower({ keystore }: SignPowerComponents): HostPower {
  return {
    contract: 'did@1',
    helps: {},
    provider: {
      call: async (request) => {
        switch (request.command) {
          case 'did/sign':
            return await sign(keystore, request, request.params as DidSign)
          case 'did/verify':
            return verify(request.params as DidVerify)
          case 'did/resolve':
            return resolve(request.params as DidName)
          case 'did/personas':
            return personas(keystore)
          default:
            throw unknownCommand(request.command)
        }
      },
      open: ({ command }) => {
        throw unknownCommand(command)
      }
    }
  }
}

async function sign(
  keystore: SignPowerComponents['keystore'],
  { caller }: ProviderRequest,
  { did, data }: DidSign
): Promise<DidSignature> {
  const signer = await signerOf(keystore, did)
  const payload = { lineage: caller.lineage, data: Uint8Array.from(Buffer.from(data, 'base64')) }
  const envelope = sealEnvelope(signer, {
    domain: CAPSULE_SIGNATURE_DOMAIN,
    type: CAPSULE_SIGNATURE_TYPE,
    payload
  })
  return { did: signer.did, envelope: Buffer.from(envelope).toString('base64') }
}

async function signerOf(keystore: SignPowerComponents['keystore'], did: string): Promise<Signer> {
  if (did === keystore.device.did) return keystore.device
  if (did !== keystore.personDid) {
    throw new PowerError('ERR_PERSONA_UNKNOWN', 'expected one of the dids that did/personas names')
  }
  // A command may have locked or removed the key since this node started.
  await keystore.refresh()
  const person = keystore.publisher()
  if (person === undefined)
    throw new PowerError('ERR_KEY_LOCKED', "the person's key is locked or not kept here")
  return person
}

function verify({ did, envelope }: DidVerify): DidVerified {
  try {
    const { signer, payload } = openEnvelope(Uint8Array.from(Buffer.from(envelope, 'base64')), {
      domain: CAPSULE_SIGNATURE_DOMAIN,
      type: CAPSULE_SIGNATURE_TYPE,
      bytesMax: ENVELOPE_BYTES_MAX
    })
    const { lineage, data } = payload as Record<string, unknown>
    if (signer !== did || typeof lineage !== 'string' || !(data instanceof Uint8Array))
      return { isValid: false }
    return { isValid: true, lineage, data: Buffer.from(data).toString('base64') }
  } catch (thrown) {
    if (errorCode(thrown) === undefined) throw thrown
    return { isValid: false }
  }
}

function resolve({ did }: DidName): DidDocument {
  const publicKey = Buffer.from(publicKeyFromDid(did)).toString('base64')
  return { did, publicKey, peerId: peerIdFromDid(did) }
}

function personas({ device, personDid }: SignPowerComponents['keystore']): Personas {
  return {
    personas: [
      { did: personDid, name: 'you', kind: 'person' },
      { did: device.did, name: 'this device', kind: 'device' }
    ]
  }
}
