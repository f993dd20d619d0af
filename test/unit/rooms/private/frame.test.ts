import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createKeyPair } from '#did'
import { openFrame, sealFrame, type Frame } from '../../../../rooms/private/frame.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'

interface FrameVector {
  readonly comment: string
  readonly frame: string
}

interface ValidVector extends FrameVector {
  readonly from: string
  readonly kind: string
  readonly group: string
  readonly tip?: string
  readonly body?: string
  readonly chain?: readonly string[]
}

interface InvalidVector extends FrameVector {
  readonly code: string
}

const FOLDER = join(import.meta.dirname, '../../../vectors/private-frame')

function read(name: string): unknown {
  return JSON.parse(readFileSync(join(FOLDER, name), 'utf8'))
}

function frameOf({ kind, group, tip = '', body = '', chain = [] }: ValidVector): Frame {
  const bytes = Uint8Array.from(Buffer.from(body, 'hex'))
  if (kind === 'sync') return { kind, group, chain }
  if (kind === 'rejoin') return { kind, group, body: bytes }
  return { kind: kind as 'welcome' | 'commit' | 'message', group, tip, body: bytes }
}

describe('frames of private rooms', () => {
  const key = createKeyPair(createSeededRandom(11))

  for (const vector of read('valid.json') as readonly ValidVector[]) {
    it(`take ${vector.comment}, and make the same bytes`, () => {
      const bytes = Uint8Array.from(Buffer.from(vector.frame, 'hex'))
      const { from, ...frame } = openFrame(bytes)
      assert.equal(from, vector.from)
      assert.deepEqual(frame, frameOf(vector))
      assert.equal(from, key.did)
      assert.deepEqual(sealFrame(key, frame), bytes)
    })
  }

  for (const { comment, frame, code } of read('invalid.json') as readonly InvalidVector[]) {
    it(`refuse ${comment}`, () => {
      assert.throws(() => openFrame(Uint8Array.from(Buffer.from(frame, 'hex'))), { code })
    })
  }
})
