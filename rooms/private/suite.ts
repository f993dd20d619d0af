import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { Aes128Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core'
import {
  defaultCryptoProvider,
  defaultKeyPackageEqualityConfig,
  defaultLifetimeConfig,
  getCiphersuiteFromName,
  type AuthenticationService,
  type CiphersuiteImpl,
  type ClientConfig,
  type CredentialBasic,
  type Hash,
  type Hpke,
  type Kdf,
  type Signature
} from 'ts-mls'
import type { Random } from '#contracts'
import { openCertificate, publicKeyFromDid, verifySignature, type Did, type Signer } from '#did'
import { PADDED_BYTES, SKIPPED_KEYS_MAX, SKIPPED_MESSAGES_MAX } from './constants.ts'

/** X25519, AES-128-GCM, SHA-256 and Ed25519: the suite every implementation of RFC 9420 has. */
export const SUITE_NAME = 'MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519'
const DIGEST_BYTES = 32
const EPHEMERAL_BYTES = 32

/** Whose device a member is. */
export interface DeviceOfPerson {
  readonly person: Did
  readonly device: Did
}

/** What the group of this device works with. */
export interface Suite {
  readonly cipherSuite: CiphersuiteImpl
  readonly config: ClientConfig
  /** What this device shows of itself: the certificate of its person. */
  readonly credential: CredentialBasic
  readonly publicKey: Uint8Array
  readonly own: DeviceOfPerson
  /** Whether a device may take part, as far as this node is concerned. */
  readonly isAllowed: (device: DeviceOfPerson) => boolean
}

/** Collaborators of a {@link Suite}. */
export interface SuiteComponents {
  /** The device key. It never leaves the signer: the states of groups hold no copy of it. */
  readonly signer: Signer
  /** The person's certificate of the device. */
  readonly certificate: Uint8Array
  /** All randomness of the group comes from here. */
  readonly random: Random
  /** Whether a device may take part, as far as this node is concerned: neither denied nor revoked. */
  readonly isAllowed: (device: DeviceOfPerson) => boolean
}

/**
 * The cryptography of MLS over the device key and the randomness handed in: signatures are made by the signer and
 * verified as everywhere else in this node, what is drawn at random is drawn from `random`.
 */
export async function createSuite(components: SuiteComponents): Promise<Suite> {
  const { signer, certificate, random } = components
  const { person, device } = openCertificate(certificate)
  const base = await defaultCryptoProvider.getCiphersuiteImpl(getCiphersuiteFromName(SUITE_NAME))
  const cipherSuite: CiphersuiteImpl = {
    ...base,
    ...{ hash: DIGESTS, kdf: KDF, signature: signatures(signer), hpke: hpkeOver(base.hpke, random) },
    rng: { randomBytes: (length) => random.bytes(length) }
  }
  return {
    cipherSuite,
    config: {
      // Whether a member is denied or revoked is judged where it speaks: members would else disagree about the tree.
      authService: authentication,
      keyPackageEqualityConfig: defaultKeyPackageEqualityConfig,
      // Lifetimes are checked where prekeys are taken, by the clock handed in.
      lifetimeConfig: { ...defaultLifetimeConfig, validateLifetimeOnReceive: false },
      paddingConfig: { kind: 'padUntilLength', padUntilLength: PADDED_BYTES },
      // Late messages are read with states that we keep ourselves, so that what they can be read with is known.
      keyRetentionConfig: {
        retainKeysForEpochs: 1,
        retainKeysForGenerations: SKIPPED_KEYS_MAX,
        maximumForwardRatchetSteps: SKIPPED_MESSAGES_MAX
      }
    },
    credential: { credentialType: 'basic', identity: certificate },
    publicKey: signer.publicKey,
    own: { person, device },
    isAllowed: components.isAllowed
  }
}

/** Whose device shows this credential; `undefined` unless a person certified just this key. */
export function readCredential(
  credential: { readonly credentialType: string; readonly identity?: Uint8Array },
  publicKey: Uint8Array
): DeviceOfPerson | undefined {
  if (credential.credentialType !== 'basic' || credential.identity === undefined) return undefined
  try {
    const { person, device } = openCertificate(credential.identity)
    return Buffer.compare(publicKeyFromDid(device), publicKey) === 0 ? { person, device } : undefined
  } catch {
    return undefined
  }
}

const authentication: AuthenticationService = {
  validateCredential: (credential, publicKey) =>
    Promise.resolve(readCredential(credential, publicKey) !== undefined)
}

const hmac = (key: Uint8Array, data: Uint8Array): Uint8Array =>
  Uint8Array.from(createHmac('sha256', key).update(data).digest())

const DIGESTS: Hash = {
  digest: (data) => Promise.resolve(Uint8Array.from(createHash('sha256').update(data).digest())),
  mac: (key, data) => Promise.resolve(hmac(key, data)),
  verifyMac: (key, mac, data) => {
    const expected = hmac(key, data)
    return Promise.resolve(mac.length === expected.length && timingSafeEqual(mac, expected))
  }
}

/** HKDF with SHA-256 (RFC 5869). */
const KDF: Kdf = {
  size: DIGEST_BYTES,
  extract: (salt, keyMaterial) => Promise.resolve(hmac(salt, keyMaterial)),
  expand: (key, info, length) => {
    const out = new Uint8Array(length)
    let block: Uint8Array = new Uint8Array()
    for (let done = 0, count = 1; done < length; done += DIGEST_BYTES, count++) {
      block = hmac(key, Buffer.concat([block, info, Uint8Array.of(count)]))
      out.set(block.subarray(0, length - done), done)
    }
    return Promise.resolve(out)
  }
}

function signatures(signer: Signer): Signature {
  return {
    sign: (_, message) => Promise.resolve(signer.sign(message)),
    verify: (publicKey, message, signature) => {
      try {
        return Promise.resolve(verifySignature(publicKey, message, signature))
      } catch {
        return Promise.resolve(false)
      }
    },
    keygen: () => Promise.reject(new Error('expected the device key, not a new one'))
  }
}

/** HPKE (RFC 9180) whose fresh keys are derived from `random`. */
function hpkeOver(base: Hpke, random: Random): Hpke {
  const suite = new CipherSuite({
    kem: new DhkemX25519HkdfSha256(),
    kdf: new HkdfSha256(),
    aead: new Aes128Gcm()
  })
  return {
    ...base,
    generateKeyPair: async () => await base.deriveKeyPair(random.bytes(EPHEMERAL_BYTES)),
    seal: async (...[recipientPublicKey, plaintext, info, aad]) => {
      const context = await suite.createSenderContext({
        ...{ recipientPublicKey, info: Uint8Array.from(info).buffer },
        ekm: random.bytes(EPHEMERAL_BYTES).buffer
      })
      const sealed = await context.seal(Uint8Array.from(plaintext).buffer, Uint8Array.from(aad ?? []).buffer)
      return { ct: new Uint8Array(sealed), enc: new Uint8Array(context.enc) }
    }
  }
}
