import { MemoryDatastore } from 'datastore-core'
import * as z from 'zod'
import { errorMessage, type Clock, type ControlReach, type Logger, type Random } from '#contracts'
import { startHost, type ExchangeRequest, type Host } from '#dht'
import {
  adoptKeystore,
  createKeyPair,
  decodeCanonical,
  didFromPeerId,
  encodeCanonical,
  openDeviceStatement,
  peerIdFromDid,
  personOfDevice,
  stateDevice,
  type Did,
  type IdentitySummary,
  type KeyPair,
  type PrivateFiles
} from '#did'
import { createDeadline } from '../deadline.ts'
import { NodeError } from '../errors.ts'
import {
  PAIRING_ATTEMPTS_MAX,
  PAIRING_DELIVERY_MS,
  PAIRING_KEY_BYTES,
  PAIRING_MESSAGE_BYTES_MAX,
  PAIRING_MS,
  PAIRING_PROTOCOL
} from './constants.ts'
import {
  isSameProof,
  pairingProof,
  readCertificateText,
  writePairingCode,
  type PairingCode
} from './pairing-code.ts'

/** What a new device works with. */
export interface PairingComponents {
  readonly files: PrivateFiles
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** Where the new device's keys go, and how far it can be reached meanwhile. */
export interface PairingInit {
  readonly keysFolder: string
  readonly reach: ControlReach
  /** Multiaddrs to listen on instead of the default for the reach. */
  readonly listen?: readonly string[]
}

/** A new device that waits for its certificate. Disposing it gives up; its key is then gone. */
export interface Pairing extends AsyncDisposable {
  readonly device: Did
  /** To be read by a device of the person: pasted, or as a QR code. */
  readonly code: string
  /**
   * Resolves when this device is the person's, with its keys on disk.
   *
   * @throws NodeError `ERR_DEADLINE` after 15 minutes, the reason of the disposal; DidError when the keys cannot be written
   */
  readonly finished: Promise<IdentitySummary>
  /** Takes a certificate that was pasted. @throws NodeError `ERR_PAIRING_CODE`, DidError when it is not for this device */
  accept(text: string): Promise<IdentitySummary>
}

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array)
const offer = z.strictObject({ version: z.literal(1), certificate: bytes, proof: bytes })
const acceptance = z.strictObject({ version: z.literal(1), statement: bytes })

/**
 * Makes a device key, listens, and waits for a device of the person to hand over a certificate. Nothing is on disk
 * before that.
 *
 * @throws DhtError when nothing can be listened on
 * @see docs/protocols/devices.md
 */
export async function startPairing(components: PairingComponents, init: PairingInit): Promise<Pairing> {
  const { clock, random, logger } = components
  await using stack = new AsyncDisposableStack()
  const device = createKeyPair(random)
  const host = stack.use(
    await startHost(
      { keyPair: device, datastore: new MemoryDatastore(), clock, random, logger },
      {
        ...{ reach: init.reach, bootstrapPeers: [], mdns: init.reach !== 'local' },
        ...(init.listen === undefined ? {} : { listen: init.listen })
      }
    )
  )
  const code: PairingCode = {
    device: device.did,
    key: random.bytes(PAIRING_KEY_BYTES),
    addresses: host.addresses().map((address) => address.replace(/\/p2p\/[^/]+$/, ''))
  }
  const adoption = createAdoption(components, { keysFolder: init.keysFolder, device })
  stack.use(await serveOffers({ host, clock, logger }, { code, device, adoption }))
  const expiry = clock.after(PAIRING_MS, () => {
    adoption.fail(new NodeError('ERR_DEADLINE', 'nobody certified this device in time: begin again'))
  })
  stack.use(expiry)
  stack.defer(() => adoption.fail(new NodeError('ERR_CANCELLED', 'pairing was given up')))
  const running = stack.move()
  return {
    device: device.did,
    code: writePairingCode(code),
    finished: adoption.finished,
    accept: async (text) => await adoption.adopt(readCertificateText(text)),
    [Symbol.asyncDispose]: async () => {
      await running.disposeAsync()
    }
  }
}

/** The one time that this device becomes somebody's. */
interface Adoption {
  readonly finished: Promise<IdentitySummary>
  adopt(certificate: Uint8Array): Promise<IdentitySummary>
  fail(reason: NodeError): void
}

function createAdoption(
  components: PairingComponents,
  { keysFolder, device }: { keysFolder: string; device: KeyPair }
): Adoption {
  const { promise: finished, resolve, reject } = Promise.withResolvers<IdentitySummary>()
  finished.catch(() => undefined)
  let adopted: { readonly certificate: Uint8Array; readonly done: Promise<IdentitySummary> } | undefined
  return {
    finished,
    fail: reject,
    adopt: async (certificate) => {
      personOfDevice(certificate, device.did)
      // The same once more is an answer that was lost; another one comes too late.
      if (adopted !== undefined && Buffer.compare(adopted.certificate, certificate) !== 0) {
        throw new NodeError('ERR_PAIRING_CODE', 'this device was certified already')
      }
      adopted ??= {
        certificate,
        done: adoptKeystore(keysFolder, components, { device, certificate }).then((keystore) =>
          keystore.summary()
        )
      }
      adopted.done.then(resolve, reject)
      return await adopted.done
    }
  }
}

async function serveOffers(
  { host, clock, logger }: { host: Host; clock: Clock; logger: Logger },
  { code, device, adoption }: { code: PairingCode; device: KeyPair; adoption: Adoption }
): Promise<AsyncDisposable> {
  let attempts = 0
  const answer = async ({ peerId, bytes: asked }: ExchangeRequest): Promise<Uint8Array> => {
    if (++attempts > PAIRING_ATTEMPTS_MAX) throw new Error('expected fewer attempts')
    const { certificate, proof } = offer.parse(readMessage(asked))
    const expected = pairingProof(code, { certificate, from: didFromPeerId(peerId) })
    if (!isSameProof(expected, proof)) {
      logger.warn('a certificate was offered by somebody who has not seen the code', { peerId })
      throw new Error('expected the proof of somebody who has seen the code')
    }
    await adoption.adopt(certificate)
    return encodeCanonical({
      version: 1,
      statement: stateDevice(device, certificate, Math.floor(clock.nowMs()))
    })
  }
  return await host.exchange.serve(PAIRING_PROTOCOL, answer, { requestBytesMax: PAIRING_MESSAGE_BYTES_MAX })
}

/** What handing over a certificate works with. */
export interface DeliveryComponents {
  readonly host: Pick<Host, 'connect' | 'did' | 'exchange'>
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Hands a certificate to the device that shows the code, and returns its own statement that it is the person's;
 * `undefined` when it cannot be reached.
 */
export async function deliverCertificate(
  { host, clock, logger }: DeliveryComponents,
  { code, certificate, signal }: { code: PairingCode; certificate: Uint8Array; signal: AbortSignal }
): Promise<Uint8Array | undefined> {
  using deadline = createDeadline({
    clock,
    signal,
    idleMs: PAIRING_DELIVERY_MS,
    what: 'the new device did not answer'
  })
  const peerId = peerIdFromDid(code.device)
  try {
    await host.connect({ peerId, multiaddrs: [...code.addresses] }, deadline.signal)
    const proof = pairingProof(code, { certificate, from: host.did })
    const answered = await host.exchange.request(
      peerId,
      PAIRING_PROTOCOL,
      encodeCanonical({ version: 1, certificate, proof }),
      { signal: deadline.signal, responseBytesMax: PAIRING_MESSAGE_BYTES_MAX }
    )
    const { statement } = acceptance.parse(readMessage(answered))
    return openDeviceStatement(statement).device === code.device ? statement : undefined
  } catch (thrown) {
    signal.throwIfAborted()
    logger.info('the new device was not reached', { peerId, reason: errorMessage(thrown) })
    return undefined
  }
}

function readMessage(encoded: Uint8Array): unknown {
  return decodeCanonical(encoded, { bytesMax: PAIRING_MESSAGE_BYTES_MAX, depthMax: 2, itemsMax: 16 })
}
