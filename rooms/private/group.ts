import {
  createApplicationMessage,
  createCommit,
  createGroup,
  decodeMlsMessage,
  emptyPskIndex,
  encodeMlsMessage,
  processPrivateMessage,
  type ClientState,
  type MLSMessage,
  type PrivateMessage,
  type Proposal
} from 'ts-mls'
import { decryptSenderData } from 'ts-mls/privateMessage.js'
import { makeKeyPackageRef } from 'ts-mls/keyPackage.js'
import { ValidationError } from 'ts-mls/mlsError.js'
import type { Did } from '#did'
import { RoomError } from '../errors.ts'
import { INFO_EXTENSION } from './constants.ts'
import { decodeKeyPackage, newKeyPackage, type OwnPrekey, type Prekey } from './prekeys.ts'
import { readCredential, type DeviceOfPerson, type Suite } from './suite.ts'
import { areCapable } from './tree-check.ts'
import { openWelcome } from './welcome.ts'

/** A device in a group. */
export interface GroupMember extends DeviceOfPerson {
  /** Its place in the tree; the lowest has the first turn to commit. */
  readonly leaf: number
}

/** What a commit changes. */
export interface GroupChange {
  /** References of the prekeys of those it takes in. */
  readonly added: readonly { readonly ref: string; readonly member: DeviceOfPerson }[]
  readonly removed: readonly GroupMember[]
}

/** What a message of the group turned out to be; `state` is the group after it. */
export type GroupRead =
  | {
      readonly kind: 'application'
      readonly state: ClientState
      readonly from: Did
      readonly bytes: Uint8Array
    }
  | {
      readonly kind: 'commit'
      readonly state: ClientState
      readonly from: Did
      readonly change: GroupChange
      /** It removes this device: the state is of no more use. */
      readonly isRemoved: boolean
    }
  /** So many messages of its sender are missing before it that its key is not worked out: those have to come first. */
  | { readonly kind: 'ahead' }

/** A group of this device alone. `info` is what every member has to agree on, part of every epoch's keys. */
export async function foundGroup(suite: Suite, groupId: Uint8Array, info: Uint8Array): Promise<ClientState> {
  const { publicPackage, privatePackage } = await newKeyPackage(suite, {
    expiresAtMs: 0,
    isLastResort: false
  })
  const extensions = [{ extensionType: INFO_EXTENSION, extensionData: info }]
  return await createGroup(
    groupId,
    publicPackage,
    privatePackage,
    extensions,
    suite.cipherSuite,
    suite.config
  )
}

/** The number of the epoch that a message of the group says it is of; `undefined` when it is none. Nobody vouches for it. */
export function epochOf(bytes: Uint8Array): bigint | undefined {
  try {
    return readPrivate(bytes).epoch
  } catch {
    return undefined
  }
}

/** The devices in the group, in the order of their leaves. */
export function membersOf(state: Pick<ClientState, 'ratchetTree'>): readonly GroupMember[] {
  return state.ratchetTree.flatMap((node, index) => {
    if (node?.nodeType !== 'leaf') return []
    const known = readCredential(node.leaf.credential, node.leaf.signaturePublicKey)
    return known === undefined ? [] : [{ ...known, leaf: index / 2 }]
  })
}

/** What every member agreed on when the group was founded. @throws RoomError `ERR_PRIVATE_MALFORMED` without it */
export function infoOf(state: ClientState): Uint8Array {
  const found = state.groupContext.extensions.find(({ extensionType }) => extensionType === INFO_EXTENSION)
  if (found === undefined) throw malformed('a group that says what it is')
  return found.extensionData
}

/**
 * Takes devices in and out, and changes the keys of the group; the state after it and what is to be sent.
 *
 * @throws RoomError `ERR_PRIVATE_REFUSED` when MLS does not allow it, as with a key that nothing can be encrypted for
 */
export async function commitChange(
  suite: Suite,
  state: ClientState,
  change: { readonly add: readonly Prekey[]; readonly remove: readonly number[] }
): Promise<{ state: ClientState; commit: Uint8Array; welcome: Uint8Array | undefined }> {
  const extraProposals: Proposal[] = [
    ...change.remove.map((removed): Proposal => ({ proposalType: 'remove', remove: { removed } })),
    ...change.add.map(({ keyPackage }): Proposal => ({ proposalType: 'add', add: { keyPackage } }))
  ]
  const made = await createCommit(
    { state, cipherSuite: suite.cipherSuite, pskIndex: emptyPskIndex },
    { extraProposals, ratchetTreeExtension: true }
  ).catch((cause: unknown) => {
    throw new RoomError('ERR_PRIVATE_REFUSED', 'expected a change that MLS allows', { cause })
  })
  const welcome =
    made.welcome === undefined
      ? undefined
      : encodeMlsMessage({ version: 'mls10', wireformat: 'mls_welcome', welcome: made.welcome })
  return { state: withoutHistory(made.newState), commit: encodeMlsMessage(made.commit), welcome }
}

/** The references of the prekeys that a welcome is for. @throws RoomError `ERR_PRIVATE_MALFORMED` */
export function refsOfWelcome(bytes: Uint8Array): readonly string[] {
  return readWelcome(bytes).welcome.secrets.map(({ newMember }) => Buffer.from(newMember).toString('hex'))
}

/**
 * Enters a group by a welcome that was made with a prekey of ours.
 *
 * @throws RoomError `ERR_PRIVATE_MALFORMED`, or `ERR_PRIVATE_FOREIGN` when a member, a key or the tree does not hold
 */
export async function enterGroup(suite: Suite, bytes: Uint8Array, prekey: OwnPrekey): Promise<ClientState> {
  const { welcome } = readWelcome(bytes)
  const { initPrivateKey, hpkePrivateKey } = prekey
  try {
    const keyPackage = decodeKeyPackage(prekey.bytes)
    return await openWelcome(suite, welcome, { keyPackage, initPrivateKey, hpkePrivateKey })
  } catch (cause) {
    throw new RoomError('ERR_PRIVATE_FOREIGN', 'expected a welcome that holds', { cause })
  }
}

/** Encrypts `bytes` for the group. The state before must never be used again. */
export async function encryptFor(
  suite: Suite,
  state: ClientState,
  bytes: Uint8Array
): Promise<{ state: ClientState; message: Uint8Array }> {
  const made = await createApplicationMessage(state, bytes, suite.cipherSuite)
  const { privateMessage } = made
  const message = encodeMlsMessage({ version: 'mls10', wireformat: 'mls_private_message', privateMessage })
  return { state: made.newState, message }
}

/**
 * Decrypts a message of the group and verifies who signed it; a commit is taken when `judge` allows what it changes.
 *
 * @throws RoomError `ERR_PRIVATE_MALFORMED`, `ERR_PRIVATE_STALE` when it was read before or cannot be read,
 * `ERR_PRIVATE_REFUSED` for a commit that is not allowed
 */
export async function readMessage(
  suite: Suite,
  state: ClientState,
  { bytes, judge }: { readonly bytes: Uint8Array; readonly judge: (change: GroupChange) => boolean }
): Promise<GroupRead> {
  const message = readPrivate(bytes)
  const { groupContext } = state
  if (Buffer.compare(message.groupId, groupContext.groupId) !== 0 || message.epoch !== groupContext.epoch)
    throw stale('a message of this group and epoch')
  const members = membersOf(state)
  const from = await senderOf(suite, state, { message, members })
  const seen: { proposals?: readonly Proposal[] } = {}
  const result = await processPrivateMessage(state, message, emptyPskIndex, suite.cipherSuite, (incoming) => {
    // Proposals travel inside commits only: who wants a change asks for it.
    if (incoming.kind === 'proposal' || incoming.senderLeafIndex !== from.leaf) return 'reject'
    seen.proposals = incoming.proposals.map(({ proposal }) => proposal)
    return seen.proposals.every(isPlain) ? 'accept' : 'reject'
  }).catch((cause: unknown) => {
    if (isAhead(cause)) return undefined
    throw stale('a message that can be read, once', cause)
  })
  if (result === undefined) return { kind: 'ahead' }
  if (result.kind === 'applicationMessage') {
    const next = withoutHistory(result.newState)
    return { kind: 'application', state: next, from: from.device, bytes: result.message }
  }
  if (result.actionTaken === 'reject' || seen.proposals === undefined)
    throw new RoomError('ERR_PRIVATE_REFUSED', 'expected a commit that takes devices in or out')
  const change = await changeOf(suite, seen.proposals, members)
  if (!judge(change)) throw new RoomError('ERR_PRIVATE_REFUSED', 'expected a change that is allowed')
  const isRemoved = result.newState.groupActiveState.kind === 'removedFromGroup'
  // The commit's own leaf is new too (RFC 9420 §12.4.1): it may change keys, but not who is there.
  if (!isRemoved && !isSameMembers(result.newState, after(members, change)))
    throw new RoomError('ERR_PRIVATE_REFUSED', 'expected those who were there, and who was taken in')
  if (!isRemoved && !areCapable(result.newState))
    throw new RoomError('ERR_PRIVATE_REFUSED', 'expected members who can do what the group does')
  return { kind: 'commit', state: withoutHistory(result.newState), from: from.device, change, isRemoved }
}

/**
 * What is left of a state when only late messages are still to be read with it: no key by which anything of a later
 * epoch could be worked out.
 */
export function forReadingOnly(state: ClientState): ClientState {
  const none = new Uint8Array()
  return {
    ...state,
    keySchedule: {
      ...{ exporterSecret: none, externalSecret: none, confirmationKey: none, membershipKey: none },
      ...{ resumptionPsk: none, epochAuthenticator: none, initSecret: none },
      senderDataSecret: state.keySchedule.senderDataSecret
    },
    privatePath: { ...state.privatePath, privateKeys: {} },
    secretTree: state.secretTree.map((node) => ({
      ...node,
      handshake: { secret: none, generation: 0, unusedGenerations: {} }
    }))
  }
}

function isPlain(proposal: Proposal): boolean {
  return proposal.proposalType === 'add' || proposal.proposalType === 'remove'
}

/** The only word of ts-mls for it is a sentence. */
function isAhead(cause: unknown): boolean {
  return cause instanceof ValidationError && cause.message.includes('too far in the future')
}

function after(members: readonly GroupMember[], { added, removed }: GroupChange): readonly DeviceOfPerson[] {
  return [...members.filter((member) => !removed.includes(member)), ...added.map(({ member }) => member)]
}

function isSameMembers({ ratchetTree }: ClientState, expected: readonly DeviceOfPerson[]): boolean {
  const namesOf = (some: readonly DeviceOfPerson[]): string =>
    some
      .map(({ device, person }) => `${device} ${person}`)
      .sort()
      .join()
  const leaves = ratchetTree.filter((node) => node?.nodeType === 'leaf').length
  return leaves === expected.length && namesOf(membersOf({ ratchetTree })) === namesOf(expected)
}

async function changeOf(
  suite: Suite,
  proposals: readonly Proposal[],
  members: readonly GroupMember[]
): Promise<GroupChange> {
  const added: { ref: string; member: DeviceOfPerson }[] = []
  const removed: GroupMember[] = []
  for (const proposal of proposals) {
    if (proposal.proposalType === 'add') {
      const { keyPackage } = proposal.add
      const { credential, signaturePublicKey } = keyPackage.leafNode
      const member = readCredential(credential, signaturePublicKey)
      const ref = await makeKeyPackageRef(keyPackage, suite.cipherSuite.hash)
      if (member !== undefined) added.push({ ref: Buffer.from(ref).toString('hex'), member })
    }
    if (proposal.proposalType === 'remove')
      removed.push(...members.filter(({ leaf }) => leaf === proposal.remove.removed))
  }
  return { added, removed }
}

async function senderOf(
  suite: Suite,
  state: ClientState,
  { message, members }: { message: PrivateMessage; members: readonly GroupMember[] }
): Promise<GroupMember> {
  const { senderDataSecret } = state.keySchedule
  const data = await decryptSenderData(message, senderDataSecret, suite.cipherSuite).catch(() => undefined)
  const from = members.find(({ leaf }) => leaf === data?.leafIndex)
  if (from === undefined) throw stale('a message of a member')
  return from
}

/** Keys of epochs before are kept as states of their own, or not at all. */
function withoutHistory(state: ClientState): ClientState {
  return { ...state, historicalReceiverData: new Map() }
}

function decode(bytes: Uint8Array): MLSMessage {
  try {
    const decoded = decodeMlsMessage(bytes, 0)
    if (decoded?.[1] === bytes.length) return decoded[0]
  } catch (cause) {
    throw malformed('a message of MLS', cause)
  }
  throw malformed('a message of MLS')
}

function readPrivate(bytes: Uint8Array): PrivateMessage {
  const message = decode(bytes)
  if (message.wireformat !== 'mls_private_message') throw malformed('a private message')
  return message.privateMessage
}

function readWelcome(bytes: Uint8Array): Extract<MLSMessage, { wireformat: 'mls_welcome' }> {
  const message = decode(bytes)
  if (message.wireformat !== 'mls_welcome') throw malformed('a welcome')
  return message
}

function malformed(what: string, cause?: unknown): RoomError {
  return new RoomError('ERR_PRIVATE_MALFORMED', `expected ${what}`, { cause })
}

function stale(what: string, cause?: unknown): RoomError {
  return new RoomError('ERR_PRIVATE_STALE', `expected ${what}`, { cause })
}
