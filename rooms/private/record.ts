import { decodeGroupState, encodeGroupState, type ClientState } from 'ts-mls'
import { decodeCanonical, encodeCanonical, parseDid, type Did } from '#did'
import { RoomError } from '../errors.ts'
import type { RoomStoreChange } from '../store.ts'
import type { Branch } from './branches.ts'
import type { Conversation, Intent } from './conversation.ts'
import { decodeInfo, encodeInfo } from './info.ts'
import type { OwnPrekey } from './prekeys.ts'
import type { Suite } from './suite.ts'
import type { Vault } from './vault.ts'

// Our own records: authenticated by the vault, so that their shape is what we wrote.
const RECORD_BYTES_MAX: number = 16 * 1_024 * 1_024

interface BranchRecord {
  readonly tip: string
  readonly parent: string | null
  /** Absent in older records, and where nothing is known of it. */
  readonly before?: readonly string[]
  readonly by: string
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly learnedAtMs: number
  readonly supersededAtMs: number | null
  readonly isWhole: boolean
}

interface ConversationRecord {
  readonly info: Uint8Array
  readonly root: string
  readonly tip: string
  readonly branches: readonly BranchRecord[]
  readonly intents: readonly (Omit<Intent, 'prekey'> & { prekey: Intent['prekey'] | null })[]
  readonly hasLeft: boolean
  readonly rejoinAskedAtMs: number | null
  /** Absent in older records. */
  readonly openedBy?: string | null
}

/** What has to be written so that `after` stands where `before` stood. States and commits are records of their own. */
export function conversationChanges(
  vault: Vault,
  before: Conversation | undefined,
  after: Conversation
): readonly RoomStoreChange[] {
  const { group } = after
  const record = encodeRecord(after)
  const isSame = before !== undefined && Buffer.compare(encodeRecord(before), record) === 0
  const states = changesOf(statesOf(before), statesOf(after))
  const commits = changesOf(before?.commits ?? new Map<string, Uint8Array>(), after.commits)
  return [
    ...(isSame ? [] : [vault.change(`c/${group}`, record)]),
    ...states.map(([tip, state]) =>
      vault.change(`s/${group}/${tip}`, state === undefined ? undefined : encodeGroupState(state))
    ),
    ...commits.map(([tip, bytes]) => vault.change(`l/${group}/${tip}`, bytes))
  ]
}

/** What has to be removed so that nothing of a conversation is left. */
export function conversationGone(
  vault: Vault,
  { group, commits, ...rest }: Conversation
): readonly RoomStoreChange[] {
  const states = [...statesOf({ group, commits, ...rest }).keys()]
  return [
    vault.change(`c/${group}`, undefined),
    ...states.map((tip) => vault.change(`s/${group}/${tip}`, undefined)),
    ...[...commits.keys()].map((tip) => vault.change(`l/${group}/${tip}`, undefined))
  ]
}

function statesOf(conversation: Conversation | undefined): ReadonlyMap<string, ClientState> {
  const branches = [...(conversation?.branches.values() ?? [])]
  return new Map(branches.flatMap(({ tip, state }) => (state === undefined ? [] : [[tip, state] as const])))
}

/** What is new or other in `after`, and what is gone from `before`. */
function changesOf<T>(
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>
): readonly (readonly [name: string, value: T | undefined])[] {
  const put = [...after].filter(([name, value]) => before.get(name) !== value)
  const gone = [...before.keys()].filter((name) => !after.has(name))
  return [...put, ...gone.map((name) => [name, undefined] as const)]
}

/** The conversations in the vault. */
export async function loadConversations(vault: Vault, suite: Suite): Promise<readonly Conversation[]> {
  const conversations: Conversation[] = []
  for await (const [key, value] of vault.entries('c/')) {
    const group = key.slice('c/'.length)
    const record = decodeCanonical(value, { bytesMax: RECORD_BYTES_MAX }) as ConversationRecord
    const states = new Map<string, Uint8Array>()
    for await (const [name, bytes] of vault.entries(`s/${group}/`)) states.set(lastPart(name), bytes)
    const commits = new Map<string, Uint8Array>()
    for await (const [name, bytes] of vault.entries(`l/${group}/`)) commits.set(lastPart(name), bytes)
    const branches = record.branches.map((one) => decodeBranch(suite, one, states.get(one.tip)))
    const { root, tip, hasLeft, rejoinAskedAtMs, openedBy = null } = record
    conversations.push({
      ...{ group, info: decodeInfo(record.info), root, tip, hasLeft, commits },
      branches: new Map(branches.map((branch) => [branch.tip, branch])),
      intents: record.intents.map(({ prekey, ...intent }) => (prekey ? { ...intent, prekey } : intent)),
      ...(rejoinAskedAtMs === null ? {} : { rejoinAskedAtMs }),
      ...(openedBy === null ? {} : { openedBy: parseDid(openedBy) })
    })
  }
  return conversations
}

/** The bytes of a prekey of this device, secrets included. */
export function encodeOwnPrekey(prekey: OwnPrekey): Uint8Array {
  return encodeCanonical({ ...prekey })
}

/** The prekeys of this device in the vault. */
export async function loadPrekeys(vault: Vault): Promise<readonly OwnPrekey[]> {
  const prekeys: OwnPrekey[] = []
  for await (const [, value] of vault.entries('p/'))
    prekeys.push(decodeCanonical(value, { bytesMax: RECORD_BYTES_MAX }) as OwnPrekey)
  return prekeys
}

function encodeRecord(conversation: Conversation): Uint8Array {
  const { info, root, tip, branches, intents, hasLeft, rejoinAskedAtMs, openedBy } = conversation
  const record: ConversationRecord = {
    ...{ info: encodeInfo(info), root, tip, hasLeft, rejoinAskedAtMs: rejoinAskedAtMs ?? null },
    openedBy: openedBy ?? null,
    branches: [...branches.values()].map(encodeBranch),
    intents: intents.map(({ prekey, ...intent }) => ({ ...intent, prekey: prekey ?? null }))
  }
  return encodeCanonical(record)
}

function encodeBranch({ state: _, parent, supersededAtMs, ...branch }: Branch): BranchRecord {
  return {
    ...branch,
    ...{ added: [...branch.added], removed: [...branch.removed] },
    ...{ parent: parent ?? null, supersededAtMs: supersededAtMs ?? null }
  }
}

function decodeBranch(suite: Suite, record: BranchRecord, bytes: Uint8Array | undefined): Branch {
  const { parent, supersededAtMs, ...rest } = record
  const says = {
    ...rest,
    by: parseDid(rest.by),
    removed: rest.removed.map((did): Did => parseDid(did)),
    ...(parent === null ? {} : { parent }),
    ...(supersededAtMs === null ? {} : { supersededAtMs })
  }
  if (bytes === undefined) return { ...says, isWhole: false }
  const decoded = decodeGroupState(bytes, 0)
  if (decoded === undefined)
    throw new RoomError('ERR_PRIVATE_MALFORMED', 'expected the state of a group that was written whole')
  return { ...says, state: { ...decoded[0], clientConfig: suite.config } }
}

function lastPart(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1)
}
