import { wordlist } from '@scure/bip39/wordlists/english.js'
import { sha256 } from './sha256.ts'

/** What the hash begins with, so that these words are never those of anything else. */
const DOMAIN = 'elastos/safety/1'
/** Twelve words of eleven bits: as many as a key is hard to guess by. */
const WORDS = 12
const WORD_BITS = 11

/**
 * Words that two people read to each other: the same ones on both screens exactly when each sees the key that the other
 * has. They are made of both persons' dids, in their order as text, so either may begin.
 *
 * @see docs/protocols/room.md
 */
export function safetyWords(ours: string, theirs: string): readonly string[] {
  const text = [DOMAIN, ...[ours, theirs].sort()].join('\n')
  // A did is ASCII.
  const digest = sha256(Uint8Array.from(text, (character) => character.charCodeAt(0)))
  const bits = Array.from(digest, (byte) => byte.toString(2).padStart(8, '0')).join('')
  return Array.from({ length: WORDS }, (_, index) => {
    const number = Number.parseInt(bits.slice(index * WORD_BITS, (index + 1) * WORD_BITS), 2)
    return wordlist[number] ?? ''
  })
}
