import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { keyPairFromSeed } from '#did'
import { openMessage, sealMessage, type MessageFields } from '#rooms'

interface ValidVector {
  readonly comment: string
  readonly deviceSeed: string
  readonly certificate?: string
  readonly fields: MessageFields
  readonly message: string
}

interface InvalidVector {
  readonly comment: string
  readonly room: string
  readonly code: string
  readonly message: string
}

async function readVectors<T>(name: string): Promise<T[]> {
  const url = new URL(`../../vectors/room-message/${name}.json`, import.meta.url)
  return JSON.parse(await readFile(url, 'utf8')) as T[]
}

const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))
const [valid, invalid] = await Promise.all([
  readVectors<ValidVector>('valid'),
  readVectors<InvalidVector>('invalid')
])

describe('a room message', () => {
  for (const { comment, deviceSeed, certificate, fields, message } of valid) {
    it(`is written and read: ${comment}`, () => {
      const device = keyPairFromSeed(fromHex(deviceSeed))
      const proof = certificate === undefined ? undefined : fromHex(certificate)
      assert.equal(Buffer.from(sealMessage(device, fields, proof)).toString('hex'), message)
      const opened = openMessage(fromHex(message), { room: fields.room })
      assert.deepEqual(opened, { ...fields, device: device.did })
    })
  }

  for (const { comment, room, code, message } of invalid) {
    it(`is refused: ${comment}`, () => {
      assert.throws(() => openMessage(fromHex(message), { room }), { code })
    })
  }

  it('is not sealed with a text or a nick that others would drop', () => {
    const device = keyPairFromSeed(new Uint8Array(32).fill(1))
    const { fields } = valid[1]!
    assert.throws(() => sealMessage(device, { ...fields, text: '\u0007' }), { code: 'ERR_TEXT_INVALID' })
    assert.throws(() => sealMessage(device, { ...fields, nick: '' }), { code: 'ERR_NICK_INVALID' })
  })
})
