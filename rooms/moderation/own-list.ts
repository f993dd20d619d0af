import type { Did, Signer } from '#did'
import type { ModerationBook } from './book.ts'
import { LIST_AGE_MS_MAX } from './constants.ts'
import { sealModerationList, type ModerationList } from './list.ts'

/** What somebody wants changed in the moderation of a room. */
export type ModerationChange =
  | { readonly action: 'list' }
  | {
      readonly action: 'follow' | 'unfollow' | 'unmute' | 'appoint' | 'dismiss'
      readonly did: Did
    }
  | {
      readonly action: 'mute'
      readonly did: Did
      /** Milliseconds since the Unix epoch; 0 or absent for as long as the list holds. */
      readonly untilMs?: number
    }
  | {
      readonly action: 'remove' | 'restore'
      readonly device: Did
      readonly sequence: number
    }

/** One list that holds in a room. Plain data. */
export interface ModerationListStatus {
  readonly author: Did
  readonly isOwn: boolean
  /** Whether somebody here chose it; else one who is followed appointed its author. */
  readonly isFollowed: boolean
  readonly expiresAtMs: number
  readonly appointed: readonly Did[]
  readonly muted: readonly {
    readonly did: Did
    /** Milliseconds since the Unix epoch; absent for as long as the list holds. */
    readonly untilMs?: number
  }[]
  /** Ids of texts, as in their events. */
  readonly removed: readonly string[]
}

/** The moderation of a room, as this node knows it. Plain data. */
export interface ModerationStatus {
  readonly followed: readonly Did[]
  readonly lists: readonly ModerationListStatus[]
}

/** What {@link changedList} signs, as whom. */
export interface ChangedListInit {
  readonly signer: Signer
  readonly certificate?: Uint8Array | undefined
  readonly room: string
  readonly author: Did
  readonly nowMs: number
  readonly sequence: number
  /** The list that this one replaces. */
  readonly own: ModerationList | undefined
}

/**
 * Our list with one thing changed, signed anew.
 *
 * @throws RoomError `ERR_MODERATION_FULL`
 */
export function changedList(
  { signer, certificate, room, author, nowMs, sequence, own }: ChangedListInit,
  change: Exclude<ModerationChange, { readonly action: 'list' | 'follow' | 'unfollow' }>
): ModerationList {
  let { appointed = [], muted = [], removed = [] } = own ?? {}
  if ('device' in change) {
    const { action, device, sequence: number } = change
    removed = removed.filter(([known, which]) => known !== device || which !== number)
    if (action === 'remove') removed = [...removed, [device, number]]
  } else {
    const { action, did } = change
    if (action === 'appoint' || action === 'dismiss') appointed = appointed.filter((known) => known !== did)
    else muted = muted.filter(([known]) => known !== did)
    if (action === 'appoint') appointed = [...appointed, did]
    if (action === 'mute') muted = [...muted, [did, Math.min(change.untilMs ?? 0, nowMs + LIST_AGE_MS_MAX)]]
  }
  // What is over needs no place.
  muted = muted.filter(([, untilMs]) => untilMs === 0 || untilMs > nowMs)
  const times = { issuedAtMs: nowMs, expiresAtMs: nowMs + LIST_AGE_MS_MAX }
  return sealModerationList(
    signer,
    { room, author, sequence, ...times, appointed, muted, removed },
    certificate
  )
}

/** What a book holds, for a person. */
export function statusOf(
  book: Pick<ModerationBook, 'followed' | 'current'>,
  { self, nowMs }: { readonly self: Did; readonly nowMs: number }
): ModerationStatus {
  const lists = book.current().map(({ author, expiresAtMs, appointed, muted, removed }) => ({
    ...{ author, expiresAtMs, appointed },
    isOwn: author === self,
    isFollowed: book.followed.includes(author),
    muted: muted
      .filter(([, untilMs]) => untilMs === 0 || untilMs > nowMs)
      .map(([did, untilMs]) => (untilMs === 0 ? { did } : { did, untilMs: Math.min(untilMs, expiresAtMs) })),
    removed: removed.map(([device, sequence]) => `${device}:${sequence}`)
  }))
  return { followed: book.followed, lists }
}
