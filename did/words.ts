import { pbkdf2Sync } from 'node:crypto'
import { entropyToMnemonic, mnemonicToEntropy } from '@scure/bip39'
import { wordlist } from '@scure/bip39/wordlists/english.js'
import type { Random } from '#contracts'
import {
  PERSON_KEY_PATH,
  ROOT_ENTROPY_BYTES,
  WORD_COUNT,
  WORD_QUIZ_COUNT,
  WORDS_CHARS_MAX
} from './constants.ts'
import { DidError } from './errors.ts'
import { keyPairFromSeed, type KeyPair } from './keys.ts'
import { deriveSecret } from './slip10.ts'

/** The keys that recovery words stand for. */
export interface WordKeys {
  /** The person: certifies devices, and is the publisher of what they publish. */
  readonly person: KeyPair
}

/** 24 fresh BIP-39 English words, separated by single spaces, from 32 bytes of `random`. */
export function createWords(random: Random): string {
  return wordsFromEntropy(random.bytes(ROOT_ENTROPY_BYTES))
}

/**
 * The 24 words of 32 bytes of entropy.
 *
 * @throws DidError `ERR_KEY_INVALID` when `entropy` is not 32 bytes
 * @see https://github.com/bitcoin/bips/blob/master/bip-0039.mediawiki
 */
export function wordsFromEntropy(entropy: Uint8Array): string {
  if (entropy.length !== ROOT_ENTROPY_BYTES) {
    throw new DidError('ERR_KEY_INVALID', `expected ${ROOT_ENTROPY_BYTES} bytes, got ${entropy.length}`)
  }
  return entropyToMnemonic(entropy, wordlist)
}

/**
 * The 32 bytes of entropy that 24 words stand for. Case and white space do not matter. An error names positions,
 * never words.
 *
 * @throws DidError `ERR_WORDS_COUNT`, `ERR_WORDS_UNKNOWN` or `ERR_WORDS_CHECKSUM`
 */
export function entropyFromWords(words: string): Uint8Array {
  const normal = normalWords(words)
  try {
    return mnemonicToEntropy(normal, wordlist)
  } catch {
    throw new DidError(
      'ERR_WORDS_CHECKSUM',
      'expected recovery words whose checksum holds, got known words in a wrong order or with one exchanged'
    )
  }
}

/**
 * The keys of 24 recovery words: BIP-39 seed without a passphrase, then SLIP-0010 Ed25519.
 *
 * @throws DidError `ERR_WORDS_COUNT`, `ERR_WORDS_UNKNOWN` or `ERR_WORDS_CHECKSUM`
 * @see docs/protocols/identity.md for the paths
 */
export function keysFromWords(words: string): WordKeys {
  entropyFromWords(words)
  const masterSeed = pbkdf2Sync(normalWords(words), 'mnemonic', 2048, 64, 'sha512')
  return { person: keyPairFromSeed(deriveSecret(masterSeed, PERSON_KEY_PATH)) }
}

function normalWords(words: string): string {
  if (words.length > WORDS_CHARS_MAX) {
    throw new DidError('ERR_WORDS_COUNT', `expected ${WORD_COUNT} words, got ${words.length} characters`)
  }
  const list = words
    .normalize('NFKD')
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '')
  if (list.length !== WORD_COUNT) {
    throw new DidError('ERR_WORDS_COUNT', `expected ${WORD_COUNT} words, got ${list.length}`)
  }
  const unknown = list.flatMap((word, index) => (wordlist.includes(word) ? [] : [index + 1]))
  if (unknown.length > 0) {
    throw new DidError(
      'ERR_WORDS_UNKNOWN',
      `expected words of the BIP-39 list, got others at ${unknown.join(', ')}`
    )
  }
  return list.join(' ')
}

/** Three positions to ask a person for, and whether the answers are the words there. */
export interface WordQuiz {
  /** Distinct positions counted from 1, in rising order. */
  readonly positions: readonly number[]
  /** Whether `answers` are the words at {@link positions}; case and surrounding white space do not matter. */
  check(answers: readonly string[]): boolean
}

/**
 * A quiz that shows whether somebody wrote `words` down.
 *
 * @throws DidError `ERR_WORDS_COUNT` or `ERR_WORDS_UNKNOWN`
 */
export function createWordQuiz(words: string, random: Random): WordQuiz {
  const list = normalWords(words).split(' ')
  const deck = list.map((_, index) => index + 1)
  const drawn: number[] = []
  while (drawn.length < WORD_QUIZ_COUNT) {
    drawn.push(...deck.splice(Math.floor(random.unit() * deck.length), 1))
  }
  const positions = drawn.sort((a, b) => a - b)
  return {
    positions,
    check: (answers) =>
      answers.length === positions.length &&
      positions.every((position, index) => answers[index]?.trim().toLowerCase() === list[position - 1])
  }
}
