import { personOfDevice } from '#did'
import { roomTopic } from '../rendezvous.ts'
import type { RoomComponents } from '../room.ts'
import { createMemoryRoomStore } from '../store.ts'
import { openModerationBook } from './book.ts'
import { changeBook } from './moderation.ts'
import { statusOf, type ModerationChange, type ModerationStatus } from './own-list.ts'

/** Changes the moderation of a room that this node is not in: others hear of it when it joins. */
export async function moderateStored(
  components: RoomComponents,
  room: string,
  change: ModerationChange
): Promise<ModerationStatus> {
  const { signer, certificate, clock, isDenied, isRevoked } = components
  const author = certificate === undefined ? signer.did : personOfDevice(certificate, signer.did)
  const store = components.store ?? createMemoryRoomStore()
  const nowMs = (): number => Math.floor(clock.nowMs())
  const book = await openModerationBook(store, {
    ...{ room, topic: await roomTopic(room), self: author, nowMs, isDenied, isRevoked }
  })
  changeBook(components, { room, author }, { book, change })
  await book.written()
  return statusOf(book, { self: author, nowMs: nowMs() })
}
