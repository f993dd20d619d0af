import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { keyPairFromSeed } from '#did'
import { openModerationList, sealModerationList, type ModerationFields } from '#rooms'

interface ValidVector {
  readonly comment: string
  readonly deviceSeed: string
  readonly certificate?: string
  readonly fields: ModerationFields
  readonly list: string
}

interface InvalidVector {
  readonly comment: string
  readonly room: string
  readonly nowMs: number
  readonly code: string
  readonly list: string
}

async function readVectors<T>(name: string): Promise<T[]> {
  const url = new URL(`../../../vectors/moderation-list/${name}.json`, import.meta.url)
  return JSON.parse(await readFile(url, 'utf8')) as T[]
}

const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))
const [valid, invalid] = await Promise.all([
  readVectors<ValidVector>('valid'),
  readVectors<InvalidVector>('invalid')
])

describe('a list of a moderator', () => {
  for (const { comment, deviceSeed, certificate, fields, list } of valid) {
    it(`is written and read: ${comment}`, () => {
      const device = keyPairFromSeed(fromHex(deviceSeed))
      const proof = certificate === undefined ? undefined : fromHex(certificate)
      const sealed = sealModerationList(device, fields, proof)
      assert.equal(Buffer.from(sealed.bytes).toString('hex'), list)
      const opened = openModerationList(fromHex(list), { room: fields.room, nowMs: fields.issuedAtMs })
      assert.deepEqual(opened, { ...fields, device: device.did, bytes: fromHex(list) })
    })
  }

  for (const { comment, room, nowMs, code, list } of invalid) {
    it(`is refused: ${comment}`, () => {
      assert.throws(() => openModerationList(fromHex(list), { room, nowMs }), { code })
    })
  }
})
