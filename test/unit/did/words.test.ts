import assert from 'node:assert/strict'
import { mnemonicToSeedSync } from '@scure/bip39'
import { systemRandom } from '#contracts'
import { createWordQuiz, createWords, keyPairFromSeed, keysFromWords } from '#did'
import { PERSON_KEY_PATH } from '../../../did/constants.ts'
import { deriveSecret } from '../../../did/slip10.ts'
import { entropyFromWords, wordsFromEntropy } from '../../../did/words.ts'
import vectors from '../../vectors/identity/words.json' with { type: 'json' }

// BIP-39's own example of 256 zero bits.
const ZERO_WORDS = `${'abandon '.repeat(23)}art`

describe('recovery words', () => {
  it('are 24 and different each time', () => {
    const words = createWords(systemRandom)
    assert.equal(words.split(' ').length, 24)
    assert.notEqual(createWords(systemRandom), words)
  })

  it('stand for the same entropy in both directions', () => {
    assert.equal(wordsFromEntropy(new Uint8Array(32)), ZERO_WORDS)
    assert.deepEqual(entropyFromWords(ZERO_WORDS), new Uint8Array(32))
    const entropy = systemRandom.bytes(32)
    assert.deepEqual(entropyFromWords(wordsFromEntropy(entropy)), entropy)
  })

  it('give the person key that BIP-39 and SLIP-0010 give elsewhere', () => {
    const words = createWords(systemRandom)
    const expected = keyPairFromSeed(deriveSecret(mnemonicToSeedSync(words), PERSON_KEY_PATH))
    assert.equal(keysFromWords(words).person.did, expected.did)
  })

  for (const { words, personDid } of vectors) {
    it(`give ${personDid} for ever`, () => {
      assert.equal(keysFromWords(words).person.did, personDid)
    })
  }

  it('may be typed in capitals and over several lines', () => {
    const words = createWords(systemRandom)
    const typed = `\n ${words.toUpperCase().replaceAll(' ', '\n\t ')} \n`
    assert.equal(keysFromWords(typed).person.did, keysFromWords(words).person.did)
  })

  it('say what is wrong with them without repeating them', () => {
    const words = ZERO_WORDS.split(' ')
    assert.throws(() => keysFromWords(words.slice(1).join(' ')), {
      code: 'ERR_WORDS_COUNT',
      message: /24 words, got 23/
    })
    assert.throws(() => keysFromWords(''), { code: 'ERR_WORDS_COUNT' })
    assert.throws(() => keysFromWords('abandon '.repeat(100_000)), { code: 'ERR_WORDS_COUNT' })
    assert.throws(
      () => keysFromWords(words.with(4, 'abandom').join(' ')),
      (thrown: Error & { code?: string }) => {
        assert.equal(thrown.code, 'ERR_WORDS_UNKNOWN')
        assert.match(thrown.message, /at 5$/)
        assert.ok(!thrown.message.includes('aband'))
        return true
      }
    )
    assert.throws(() => keysFromWords('abandon '.repeat(24)), { code: 'ERR_WORDS_CHECKSUM' })
    const swapped = createWordsWithDistinctEnds()
    assert.throws(() => keysFromWords(swapped), { code: 'ERR_WORDS_CHECKSUM' })
  })
})

/** Words in which the first two are exchanged and the checksum fails (it holds by chance once in 256). */
function createWordsWithDistinctEnds(): string {
  for (;;) {
    const [first = '', second = '', ...rest] = createWords(systemRandom).split(' ')
    const swapped = [second, first, ...rest].join(' ')
    try {
      entropyFromWords(swapped)
    } catch {
      return swapped
    }
  }
}

describe('the quiz about recovery words', () => {
  it('asks three different words and knows the answers', () => {
    const words = createWords(systemRandom)
    const list = words.split(' ')
    for (let round = 0; round < 50; round++) {
      const quiz = createWordQuiz(words, systemRandom)
      assert.equal(new Set(quiz.positions).size, 3)
      assert.ok(quiz.positions.every((position) => position >= 1 && position <= 24))
      const answers = quiz.positions.map((position) => list[position - 1] ?? '')
      assert.ok(quiz.check(answers))
      assert.ok(quiz.check(answers.map((answer) => ` ${answer.toUpperCase()}\n`)))
      assert.ok(!quiz.check(answers.with(1, 'zzz')))
      assert.ok(!quiz.check(answers.slice(1)))
      assert.ok(!quiz.check([]))
    }
  })
})
