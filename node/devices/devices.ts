import type { Datastore } from 'interface-datastore'
import { errorCode, errorMessage, type Clock, type Logger, type Random } from '#contracts'
import type { Content } from '#content'
import type { Host, PublisherIndex } from '#dht'
import {
  certifyDevice,
  DEVICES_LISTED_MAX,
  DEVICES_REVOKED_MAX,
  openDeviceStatement,
  parseDid,
  peerIdFromDid,
  signDeviceList,
  stateDevice,
  type Did,
  type KeyPair,
  type Keystore,
  type ListedDevice
} from '#did'
import { NodeError } from '../errors.ts'
import { openLookupNotes } from './lookup-notes.ts'
import { deliverCertificate } from './pairing.ts'
import { readPairingCode, writeCertificateText } from './pairing-code.ts'
import { startPublication, type Publication } from './publication.ts'
import { readList, type Revocations, type SignedList } from './revocations.ts'
import { startSpread, type Spread } from './spread.ts'

/** What devices need of the other parts of a node. */
export interface DevicesComponents {
  readonly host: Host
  readonly index: PublisherIndex
  readonly content: Pick<Content, 'getBlock' | 'putBlock' | 'unpin'>
  readonly keystore: Keystore
  readonly revocations: Revocations
  readonly datastore: Datastore
  readonly clock: Clock
  readonly random: Pick<Random, 'unit'>
  readonly logger: Logger
}

/** A device of the owner. */
export interface OwnDevice {
  readonly device: Did
  readonly name?: string
  readonly isRevoked: boolean
  /** When it was certified or revoked, milliseconds since the Unix epoch; unknown for some that another device revoked. */
  readonly atMs?: number
  readonly isThis: boolean
}

/** What adding a device did. */
export interface AddedDevice {
  readonly device: Did
  readonly person: Did
  /** Whether the device has its certificate. */
  readonly isDelivered: boolean
  /** The certificate as text, to be pasted there where it was not delivered. */
  readonly certificate: string
  readonly isPublished: boolean
}

/** What revoking a device did. */
export interface RevokedOwnDevice {
  readonly device: Did
  /** How many connected peers were told; they tell theirs. */
  readonly told: number
  readonly isPublished: boolean
}

/** Options of a change. */
export interface DeviceChangeOptions {
  readonly signal: AbortSignal
  /** Says that the person has never published anything before. */
  readonly isFirst?: boolean
}

/** The devices of the owner, and what others say of theirs. */
export interface Devices extends AsyncDisposable {
  /** Every device on the owner's list, and this one. */
  list(): OwnDevice[]
  /** The devices on the list that a person published; empty when there is none or it could not be had. */
  listedOf(person: Did, signal: AbortSignal): Promise<readonly Did[]>
  /**
   * Certifies the device that shows `code`.
   *
   * @throws NodeError `ERR_PAIRING_CODE`, `ERR_PUBLISHER_KEY_MISSING`, `ERR_DEVICE_REVOKED`, `ERR_DEVICES_FULL`; DidError
   * for a name that cannot be one
   */
  add(code: string, o: DeviceChangeOptions & { readonly name?: string | undefined }): Promise<AddedDevice>
  /**
   * Revokes a device, by its did or its name, for ever: durable here before anybody is told.
   *
   * @throws NodeError `ERR_DEVICE_UNKNOWN`, `ERR_DEVICE_SELF`, `ERR_PUBLISHER_KEY_MISSING`, `ERR_DEVICES_FULL`
   */
  revoke(device: string, o: DeviceChangeOptions): Promise<RevokedOwnDevice>
}

/** Starts what spreads and looks up device lists. */
export async function startDevices(components: DevicesComponents): Promise<Devices> {
  const logger = components.logger.child('devices')
  await using stack = new AsyncDisposableStack()
  const onNews = (list: SignedList, { revoked }: { readonly revoked: readonly Did[] }): void => {
    logger.info('devices were revoked', { person: list.person, devices: revoked.join(' ') })
    if (revoked.includes(components.keystore.device.did) && list.person === components.keystore.personDid) {
      logger.error('this device was revoked: others refuse it', { device: components.keystore.device.did })
    }
    void leaveRevoked(components).catch(() => undefined)
  }
  const spread = stack.use(await startSpread({ ...components, logger, onNews }))
  const notes = stack.use(await openLookupNotes({ ...components, logger }))
  const publication = stack.use(startPublication({ ...components, logger, spread, notes }))
  const running = stack.move()
  const core: DevicesCore = { ...components, logger, spread, publication }
  let changing: Promise<unknown> = Promise.resolve()
  const inTurn = async <T>(change: () => Promise<T>): Promise<T> => {
    const changed = changing.then(change, change)
    changing = changed.catch(() => undefined)
    return await changed
  }
  return {
    list: () => listDevices(core),
    listedOf: async (person, signal) => {
      const list = await core.publication.lookUp(person, signal)
      return list?.devices.map(({ device }) => device) ?? []
    },
    add: async (code, o) => await inTurn(async () => await add(core, code, o)),
    revoke: async (device, o) => await inTurn(async () => await revoke(core, device, o)),
    [Symbol.asyncDispose]: async () => {
      await running.disposeAsync()
    }
  }
}

interface DevicesCore extends DevicesComponents {
  readonly spread: Spread
  readonly publication: Publication
}

async function add(
  core: DevicesCore,
  text: string,
  o: DeviceChangeOptions & { readonly name?: string | undefined }
): Promise<AddedDevice> {
  const code = readPairingCode(text)
  const { device } = code
  const signer = await signerOf(core)
  if (core.revocations.isRevokedDevice(device) || core.revocations.ownRevoked().includes(device)) {
    throw new NodeError(
      'ERR_DEVICE_REVOKED',
      `${device} was revoked: that device needs a new key, so begin again there`
    )
  }
  await core.publication.refreshOwn(o.signal)
  const atMs = Math.floor(core.clock.nowMs())
  const claim = { device, issuedAtMs: atMs, ...(o.name === undefined ? {} : { name: o.name }) }
  const certificate = certifyDevice(signer, claim)
  const others = (core.revocations.own()?.devices ?? []).filter((one) => one.device !== device)
  if (others.length + 2 > DEVICES_LISTED_MAX) throw full(`${DEVICES_LISTED_MAX} devices`)
  const statement = await deliverCertificate(core, { code, certificate, signal: o.signal })
  const entry = { device, atMs, ...(statement === undefined ? {} : { statement }) }
  const list = signList(core, signer, {
    devices: [...others, entry],
    revoked: core.revocations.own()?.revoked ?? []
  })
  await core.revocations.take(list)
  return {
    device,
    person: signer.did,
    isDelivered: statement !== undefined,
    certificate: writeCertificateText(certificate),
    isPublished: await core.publication.publish(o)
  }
}

async function revoke(core: DevicesCore, target: string, o: DeviceChangeOptions): Promise<RevokedOwnDevice> {
  const { revocations, keystore } = core
  await core.publication.refreshOwn(o.signal)
  const device = findDevice(core, target)
  if (device === keystore.device.did) {
    throw new NodeError(
      'ERR_DEVICE_SELF',
      'this is the device you are at: revoke it from another one of yours'
    )
  }
  const signer = await signerOf(core)
  const own = revocations.own()
  const listed = own?.devices.find((one) => one.device === device)
  const before = own?.revoked ?? []
  const atMs = Math.floor(core.clock.nowMs())
  const entry = { device, atMs, ...(listed?.statement === undefined ? {} : { statement: listed.statement }) }
  const list = signList(core, signer, {
    devices: (own?.devices ?? []).filter((one) => one.device !== device),
    revoked: before.some((one) => one.device === device) ? before : [...before, entry]
  })
  await revocations.take(list)
  await leaveRevoked(core)
  const told = await core.spread.tell(list)
  return { device, told, isPublished: await core.publication.publish(o) }
}

/** The next list: this device is on it, and whatever was ever revoked stays revoked. */
function signList(
  { keystore, revocations, clock }: DevicesCore,
  signer: KeyPair,
  { devices, revoked }: { devices: readonly ListedDevice[]; revoked: readonly ListedDevice[] }
): SignedList {
  const issuedAtMs = Math.floor(clock.nowMs())
  const named = new Set(revoked.map(({ device }) => device))
  const all = [
    ...revoked,
    ...revocations.ownRevoked().flatMap((device) => (named.has(device) ? [] : [{ device, atMs: issuedAtMs }]))
  ]
  if (all.length > DEVICES_REVOKED_MAX) throw full(`${DEVICES_REVOKED_MAX} revoked devices`)
  const isRevoked = new Set(all.map(({ device }) => device))
  const self = keystore.device.did
  const statement = stateDevice(keystore.device, keystore.certificate, issuedAtMs)
  const others = devices.filter(({ device }) => device !== self && !isRevoked.has(device))
  const own = isRevoked.has(self) ? [] : [{ device: self, atMs: keystore.summary().issuedAtMs, statement }]
  const sequence = (revocations.own()?.sequence ?? 0) + 1
  return readList(
    signDeviceList(signer, { sequence, issuedAtMs, devices: [...own, ...others], revoked: all })
  )
}

async function signerOf({ keystore }: DevicesCore): Promise<KeyPair> {
  // A command may have locked or removed the key since this node started.
  await keystore.refresh()
  const signer = keystore.publisher()
  if (signer !== undefined) return signer
  throw new NodeError(
    'ERR_PUBLISHER_KEY_MISSING',
    "this device may not certify or revoke devices: the person key is locked or not kept here ('elastos id show')"
  )
}

function findDevice(core: DevicesCore, target: string): Did {
  if (target.startsWith('did:')) return parseDid(target)
  const found = listDevices(core).filter(({ name, isRevoked }) => name === target && !isRevoked)
  const [device, ...more] = found
  if (device !== undefined && more.length === 0) return device.device
  const what = device === undefined ? 'no device' : `more than one device`
  throw new NodeError(
    'ERR_DEVICE_UNKNOWN',
    `${what} is called ${target.slice(0, 64)}: give its did ('elastos device list')`
  )
}

function listDevices({ keystore, revocations }: DevicesComponents): OwnDevice[] {
  const own = revocations.own()
  const self = keystore.device.did
  const describe =
    (isRevoked: boolean) =>
    ({ device, atMs, statement }: ListedDevice): OwnDevice => {
      const name = statement === undefined ? undefined : openDeviceStatement(statement).name
      return { device, isRevoked, atMs, isThis: device === self, ...(name === undefined ? {} : { name }) }
    }
  const listed = [...(own?.devices ?? []).map(describe(false)), ...(own?.revoked ?? []).map(describe(true))]
  const { issuedAtMs, deviceName } = keystore.summary()
  const names = deviceName === undefined ? {} : { name: deviceName }
  const unlisted = revocations
    .ownRevoked()
    .filter((device) => !listed.some((one) => one.isRevoked && one.device === device))
  const active = listed.filter((one) => one.isRevoked || !unlisted.includes(one.device))
  const isMissing = !listed.some(({ isThis }) => isThis) && !unlisted.includes(self)
  return [
    ...(isMissing ? [{ device: self, isRevoked: false, atMs: issuedAtMs, isThis: true, ...names }] : []),
    ...active,
    ...unlisted.map((device) => ({ device, isRevoked: true, isThis: device === self }))
  ]
}

/** Ends the connections to devices that are revoked now; the gate keeps them from coming back. */
async function leaveRevoked({ host, revocations, logger }: DevicesComponents): Promise<void> {
  const connections = host.peers().flatMap(({ did }) => {
    if (did === undefined || !revocations.isRevokedDevice(did)) return []
    const peerId = peerIdFromDid(did)
    return host.libp2p.getConnections().filter(({ remotePeer }) => remotePeer.toString() === peerId)
  })
  for (const connection of connections) {
    await connection.close().catch((thrown: unknown) => {
      logger.debug('a connection was not closed', { code: errorCode(thrown), reason: errorMessage(thrown) })
    })
  }
}

function full(what: string): NodeError {
  return new NodeError('ERR_DEVICES_FULL', `expected at most ${what} of one person`)
}
