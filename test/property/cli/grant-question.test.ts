import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { QuestionStatus } from '#contracts'
import { describeQuestion } from '../../../cli/grant-question.ts'

const BASE: QuestionStatus = {
  ...{ id: 'q', lineage: 'did:key:z6Mk/notes', name: 'notes', version: '1.0.0', publisher: 'did:key:z6Mk' },
  ...{ command: 'localhost/read', summary: 'read a file', resource: 'localhost://notes/*', choices: [] },
  ...{ askedAtMs: 0, expiresAtMs: 1, isWaiting: true }
}
const STEERS = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 600 }),
  fc.string({ unit: 'grapheme', maxLength: 600 }),
  fc
    .array(fc.constantFrom('\u001b[2J', '\n  who ', '”', '“', ' '.repeat(90), '\u0300', '界', '| ', 'x'), {
      maxLength: 60
    })
    .map((parts) => parts.join(''))
)

describe('what a capsule says at the prompt', () => {
  it('stays on its own lines, between its own marks, and steers nothing', () => {
    fc.assert(
      fc.property(hostile, hostile, fc.integer({ min: 1, max: 300 }), (reason, manifestReason, columns) => {
        const shown = describeQuestion({ ...BASE, reason, manifestReason: `m${manifestReason}` }, columns)
        const without = describeQuestion({ ...BASE, reason: 'a', manifestReason: 'b' }, columns)
        const isClaim = (line: string): boolean => /^ {2}(?:it says|its author)? *\| /.test(line)
        assert.deepEqual(
          shown.filter((line) => !isClaim(line)),
          without.filter((line) => !isClaim(line))
        )
        assert(shown.every((line) => !STEERS.test(line)))
        assert(shown.length < 60)
        const marks = shown.filter(isClaim).join('').match(/[“”]/g) ?? []
        assert.deepEqual(marks, reason === `m${manifestReason}` ? ['“', '”'] : ['“', '”', '“', '”'])
      }),
      { numRuns: 500 }
    )
  })
})
