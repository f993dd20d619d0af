import type { Clock } from '#contracts'
import type { Did } from '#did'
import { MEMBERS_MAX, PRESENCE_EXPIRY_MS } from './constants.ts'
import type { Labels } from './labels.ts'
import { keepAddresses, type MemberEntry } from './members-exchange.ts'
import type { ReceivedMessage } from './receiver.ts'

/** Somebody in the room: one device of one person. Plain data. */
export interface Member {
  /** The did of the person, or of the device when it belongs to no person. */
  readonly author: Did
  /** The did of the device. */
  readonly device: Did
  readonly nick: string
  /** The nick, with the end of the did when it alone would not tell who this is. */
  readonly label: string
  readonly isSelf: boolean
  /** When we first heard of the member this time, by our clock, milliseconds since the Unix epoch. */
  readonly joinedAtMs: number
  /** By how much the member's clock differs from ours (positive: ahead), when by more than five minutes. */
  readonly clockOffMs?: number
}

/** What hearing from somebody changed. */
export type MemberChange =
  | { readonly type: 'joined'; readonly member: Member }
  | { readonly type: 'nick'; readonly member: Member; readonly previousLabel: string }
  | { readonly type: 'left'; readonly member: Member; readonly reason: 'leave' | 'timeout' }

/** Who else is here, as far as we heard lately. */
export interface MemberTable {
  /** Takes note of a sign of life; `presence` is its message when it is one, to be shown to others. */
  heard(message: ReceivedMessage, presence?: Uint8Array): readonly MemberChange[]
  /** Takes note of where a member may be reached. Hints; nobody signed them. */
  reachable(device: Did, addresses: readonly string[]): void
  /** Takes note of a farewell. */
  left(device: Did): readonly MemberChange[]
  /** Removes who was not heard for {@link PRESENCE_EXPIRY_MS}, and devices that were revoked meanwhile. */
  expire(): readonly MemberChange[]
  list(): readonly Member[]
  /** Those whose presence we can show, with their addresses, heard most recently first. */
  entries(): readonly (MemberEntry & { readonly device: Did })[]
}

interface Row {
  member: Member
  heardAtMs: number
  presence: Uint8Array | undefined
  addresses: readonly string[]
}

/** What a table is made of. */
export interface MemberTableInit {
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>
  readonly labels: Labels
  /** Whether a person has revoked a device of theirs. */
  readonly isRevoked?: (person: Did, device: Did) => boolean
}

/** An empty table. Rows are kept in the order in which they were heard, so the first one is the one to give way. */
export function createMemberTable({ clock, labels, isRevoked }: MemberTableInit): MemberTable {
  const rows = new Map<Did, Row>()

  const remove = (device: Did, reason: 'leave' | 'timeout'): readonly MemberChange[] => {
    const row = rows.get(device)
    rows.delete(device)
    return row === undefined ? [] : [{ type: 'left', member: row.member, reason }]
  }
  const heard = (message: ReceivedMessage, presence?: Uint8Array): readonly MemberChange[] => {
    const row = rows.get(message.device)
    const member = readMember(message, row?.member.joinedAtMs ?? clock.nowMs(), labels)
    rows.delete(message.device)
    rows.set(message.device, {
      member,
      heardAtMs: clock.monotonicMs(),
      presence: presence ?? row?.presence,
      addresses: row?.addresses ?? []
    })
    const change = readChange(row?.member, member)
    if (change.length > 0) change.push(...relabel(rows.values(), labels))
    const oldest = rows.size > MEMBERS_MAX ? [...rows.keys().take(1)] : []
    return [...oldest.flatMap((device) => remove(device, 'timeout')), ...change]
  }
  return {
    heard,
    left: (device) => remove(device, 'leave'),
    reachable: (device, addresses) => {
      const row = rows.get(device)
      if (row !== undefined && addresses.length > 0) row.addresses = keepAddresses(addresses)
    },
    expire: () => {
      const deadlineMs = clock.monotonicMs() - PRESENCE_EXPIRY_MS
      const gone = [...rows].filter(
        ([device, { member, heardAtMs }]) =>
          heardAtMs < deadlineMs || (member.author !== device && isRevoked?.(member.author, device) === true)
      )
      return gone.flatMap(([device]) => remove(device, 'timeout'))
    },
    list: () => [...rows.values()].map((row) => row.member),
    entries: () =>
      [...rows]
        .reverse()
        .flatMap(([device, { presence, addresses }]) =>
          presence === undefined ? [] : [{ device, presence, addresses }]
        )
  }
}

function readMember(message: ReceivedMessage, joinedAtMs: number, labels: Labels): Member {
  const { author, device, nick, clockOffMs } = message
  const label = labels.label(author, nick)
  const base = { author, device, nick, label, isSelf: false, joinedAtMs }
  return clockOffMs === undefined ? base : { ...base, clockOffMs }
}

function readChange(before: Member | undefined, member: Member): MemberChange[] {
  if (before === undefined) return [{ type: 'joined', member }]
  return before.nick === member.nick ? [] : [{ type: 'nick', member, previousLabel: before.label }]
}

/** Somebody who shares a nick with the one just heard is shown differently from now on. */
function relabel(rows: Iterable<Row>, labels: Labels): MemberChange[] {
  const changes: MemberChange[] = []
  for (const row of rows) {
    const label = labels.label(row.member.author, row.member.nick)
    if (label === row.member.label) continue
    const previousLabel = row.member.label
    row.member = { ...row.member, label }
    changes.push({ type: 'nick', member: row.member, previousLabel })
  }
  return changes
}
