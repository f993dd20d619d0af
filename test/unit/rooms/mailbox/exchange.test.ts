import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { parseDid } from '#did'
import { MAILBOX_MESSAGE_BYTES_MAX } from '../../../../rooms/constants.ts'
import {
  decodeMailboxRequest,
  decodePutAnswer,
  decodeTakeAnswer,
  encodeMailboxAnswer,
  encodeMailboxRequest
} from '../../../../rooms/mailbox/exchange.ts'
import { mailboxCid } from '../../../../rooms/mailbox/address.ts'
import { roomBox } from '../../../../rooms/mailbox/room-box.ts'

type Kind = 'put' | 'take' | 'put answer' | 'take answer'

interface Vector {
  readonly comment: string
  readonly kind: Kind
  readonly box?: string
  readonly device?: string
  readonly items?: readonly string[]
  readonly after?: number
  readonly kept?: number
  readonly last?: number
  readonly hasMore?: boolean
  readonly code: string
  readonly bytes: string
}

interface RoomVector {
  readonly room: string
  readonly address: string
  readonly cid: string
  readonly message: string
  readonly item: string
}

async function readVectors<T>(name: string): Promise<T[]> {
  const url = new URL(`../../../vectors/mailbox/${name}.json`, import.meta.url)
  return JSON.parse(await readFile(url, 'utf8')) as T[]
}

const fromHex = (hex = ''): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))
const [valid, invalid, rooms] = await Promise.all([
  readVectors<Vector>('valid'),
  readVectors<Vector>('invalid'),
  readVectors<RoomVector>('rooms')
])

function decode(kind: Kind, bytes: Uint8Array): unknown {
  if (kind === 'put answer') return decodePutAnswer(bytes)
  return kind === 'take answer' ? decodeTakeAnswer(bytes) : decodeMailboxRequest(bytes)
}

describe('the mailbox exchange', () => {
  for (const { comment, kind, bytes, ...fields } of valid) {
    it(`is written and read: ${comment}`, () => {
      const { box, device, items = [], after = 0, kept = 0, last = 0, hasMore = false } = fields
      const list = items.map(fromHex)
      const of = device === undefined ? { box: fromHex(box) } : { device: parseDid(device) }
      const written = {
        put: () => encodeMailboxRequest({ kind: 'put', ...of, items: list }),
        take: () => encodeMailboxRequest({ kind: 'take', ...of, after }),
        'put answer': () => encodeMailboxAnswer({ kept }),
        'take answer': () => encodeMailboxAnswer({ items: list, last, hasMore })
      }[kind]()
      assert.equal(Buffer.from(written).toString('hex'), bytes)
      const read = {
        put: { kind, ...of, items: list },
        take: { kind, ...of, after },
        'put answer': { kept },
        'take answer': { items: list, last, hasMore }
      }[kind]
      assert.deepEqual(decode(kind, fromHex(bytes)), read)
    })
  }

  for (const { comment, kind, code, bytes } of invalid) {
    it(`is refused: ${kind}, ${comment}`, () => {
      assert.throws(() => decode(kind, fromHex(bytes)), { code })
    })
  }

  it('is not parsed when it is too large', () => {
    const bytes = new Uint8Array(MAILBOX_MESSAGE_BYTES_MAX + 1)
    for (const kind of ['put', 'put answer', 'take answer'] as const) {
      assert.throws(() => decode(kind, bytes), { code: 'ERR_MESSAGE_TOO_LARGE' })
    }
  })
})

describe('the mailbox of a room', () => {
  for (const { room, address, cid, message, item } of rooms) {
    it(`has the address, the place and the key that its name gives: ${room}`, async () => {
      const box = roomBox(room)
      assert.equal(Buffer.from(box.address).toString('hex'), address)
      assert.equal(String(await mailboxCid(box.address)), cid)
      assert.deepEqual(box.open(fromHex(item)), Buffer.from(fromHex(message)))
      const nonce = fromHex(item).slice(0, 12)
      assert.deepEqual(box.seal(fromHex(message), { bytes: () => nonce }), Buffer.from(fromHex(item)))
    })
  }

  it('opens nothing that was not put there for it', () => {
    const [first] = rooms
    const bytes = fromHex(first?.item)
    assert.equal(roomBox('kitchen').open(bytes), undefined)
    for (let index = 0; index < bytes.length; index++) {
      const changed = bytes.with(index, (bytes[index] ?? 0) ^ 1)
      assert.equal(roomBox(first?.room ?? '').open(changed), undefined)
    }
    assert.equal(roomBox('lobby').open(new Uint8Array(5)), undefined)
  })
})
