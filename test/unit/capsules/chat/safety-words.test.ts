import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { wordlist } from '@scure/bip39/wordlists/english.js'
import { safetyWords } from '../../../../capsules/chat/safety-words.ts'
import { sha256 } from '../../../../capsules/chat/sha256.ts'

describe('the safety words', () => {
  it('hash as the standard does, whatever the length', () => {
    for (let length = 0; length < 200; length++) {
      const bytes = Uint8Array.from({ length }, (_, index) => (index * 31 + length) & 0xff)
      assert.deepEqual(Buffer.from(sha256(bytes)), createHash('sha256').update(bytes).digest())
    }
  })

  it('are the first 132 bits of the hash of both dids, in either order', () => {
    const [ann, bob] = ['did:key:z6Mkann', 'did:key:z6Mkbob']
    const digest = createHash('sha256').update(`elastos/safety/1\n${ann}\n${bob}`).digest('hex')
    const number = BigInt(`0x${digest}`) >> (256n - 132n)
    const expected = Array.from({ length: 12 }, (_, index) => {
      return wordlist[Number((number >> BigInt(132 - (index + 1) * 11)) & 2047n)]
    })
    assert.deepEqual(safetyWords(ann, bob), expected)
    assert.deepEqual(safetyWords(bob, ann), expected)
  })
})
