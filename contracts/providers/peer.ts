import * as z from 'zod'
import type { CallCommand, ProviderContract, StreamCommand } from './contract.ts'
import { nick as nickField, nothing, room as roomField, timeMs, type Nothing } from './fields.ts'

/** Names a room. */
export interface PeerRoom {
  readonly room: string
}

/** Which room, as whom. */
export interface PeerNick extends PeerRoom {
  readonly nick: string
}

/** Something to say in a room. */
export interface PeerPublish extends PeerRoom {
  /** At most 4,096 bytes. */
  readonly text: string
}

/** What became of what was said. */
export interface PeerPublished {
  readonly id: string
  /** How many peers took it. */
  readonly recipients: number
}

/** Somebody in a room. */
export interface PeerMember {
  readonly author: string
  readonly device: string
  readonly nick: string
  readonly label: string
  readonly isSelf: boolean
  readonly joinedAtMs: number
  readonly clockOffMs?: number
}

/** Who is in a room. */
export interface PeerMembers {
  readonly members: readonly PeerMember[]
}

/** What happens in a room. */
export type PeerEvent =
  | {
      readonly type: 'message'
      readonly id: string
      readonly author: string
      readonly device: string
      readonly nick: string
      readonly label: string
      readonly isSelf: boolean
      readonly text: string
      readonly [more: string]: unknown
    }
  | { readonly type: 'sent'; readonly id: string; readonly recipients: number }
  | { readonly type: 'joined'; readonly member: PeerMember }
  | { readonly type: 'nick'; readonly member: PeerMember; readonly previousLabel: string }
  | { readonly type: 'left'; readonly member: PeerMember; readonly reason: 'leave' | 'timeout' }
  | { readonly type: 'notice'; readonly code: string; readonly text: string }
  | { readonly type: 'dropped'; readonly code: string; readonly count: number }

/** The commands of the contract, for an SDK. */
export interface PeerCommands {
  readonly join: CallCommand<PeerNick, Nothing>
  readonly nick: CallCommand<PeerNick, Nothing>
  readonly publish: CallCommand<PeerPublish, PeerPublished>
  readonly members: CallCommand<PeerRoom, PeerMembers>
  readonly subscribe: StreamCommand<PeerRoom, PeerEvent>
  readonly leave: CallCommand<PeerRoom, Nothing>
}

const short: z.ZodType<string> = z.string().max(256)
const member: z.ZodType<PeerMember> = z.object({
  author: short,
  device: short,
  nick: short,
  label: short,
  isSelf: z.boolean(),
  joinedAtMs: timeMs,
  clockOffMs: z.exactOptional(z.number())
})
const count: z.ZodType<number> = z.int().min(0)

const event: z.ZodType<PeerEvent> = z.discriminatedUnion('type', [
  z.looseObject({
    type: z.literal('message'),
    id: short,
    author: short,
    device: short,
    nick: short,
    label: short,
    isSelf: z.boolean(),
    text: z.string().max(4096)
  }),
  z.object({ type: z.literal('sent'), id: short, recipients: count }),
  z.object({ type: z.literal('joined'), member }),
  z.object({ type: z.literal('nick'), member, previousLabel: short }),
  z.object({ type: z.literal('left'), member, reason: z.enum(['leave', 'timeout']) }),
  z.object({ type: z.literal('notice'), code: short, text: z.string().max(1024) }),
  z.object({ type: z.literal('dropped'), code: short, count })
])

const resource = (params: PeerRoom): string => `elastos://peer/room/${params.room}`

/** Rooms in which peers talk. Messages between two people are not offered yet. */
export const peer: ProviderContract<PeerCommands> = {
  name: 'peer',
  version: 1,
  summary: 'rooms in which peers talk',
  errors: [
    'ERR_ROOM_NAME_INVALID',
    'ERR_NICK_INVALID',
    'ERR_TEXT_INVALID',
    'ERR_TEXT_TOO_LONG',
    'ERR_ROOM_BUSY',
    'ERR_ROOM_CLOSED',
    'ERR_ROOM_JOINED',
    'ERR_ROOM_NOT_JOINED'
  ],
  commands: {
    join: {
      kind: 'call',
      summary: 'join a room',
      params: z.strictObject({ room: roomField, nick: nickField }),
      result: nothing,
      resource,
      example: { room: 'lobby', nick: 'anna' }
    },
    nick: {
      kind: 'call',
      summary: 'change what you are called in a room',
      params: z.strictObject({ room: roomField, nick: nickField }),
      result: nothing,
      resource,
      example: { room: 'lobby', nick: 'anna' }
    },
    publish: {
      kind: 'call',
      summary: 'speak in a room',
      params: z.strictObject({ room: roomField, text: z.string().max(4096) }),
      result: z.strictObject({ id: short, recipients: count }),
      resource,
      example: { room: 'lobby', text: 'hello' }
    },
    members: {
      kind: 'call',
      summary: 'see who is in a room',
      params: z.strictObject({ room: roomField }),
      result: z.strictObject({ members: z.array(member).max(256) }),
      resource,
      example: { room: 'lobby' }
    },
    subscribe: {
      kind: 'stream',
      summary: 'hear a room',
      params: z.strictObject({ room: roomField }),
      item: event,
      resource,
      example: { room: 'lobby' }
    },
    leave: {
      kind: 'call',
      summary: 'leave a room',
      params: z.strictObject({ room: roomField }),
      result: nothing,
      resource,
      example: { room: 'lobby' }
    }
  }
}
