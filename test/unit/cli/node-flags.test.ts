import assert from 'node:assert/strict'
import { NODE_OPTIONS } from '../../../cli/options.ts'
import { nodeFlagsOf } from '../../../cli/run.ts'

describe('a node that a command starts', () => {
  for (const { flags, choices } of NODE_OPTIONS) {
    const flag = flags.split(' ')[0] ?? ''
    // Said anew each time: it weakens a check.
    if (flag === '--accept-older-files') continue
    it(`is given ${flag}`, () => {
      const words = flag.replace(/^--(no-)?/, '').split('-')
      const key = words.map((word, at) => (at === 0 ? word : capitalised(word))).join('')
      const value = flag.startsWith('--no-') ? false : (choices?.[0] ?? 'value')
      const given = nodeFlagsOf({ args: {}, options: { [key]: value } })
      assert.deepEqual(given, value === false ? [flag] : [flag, value])
    })
  }
})

function capitalised(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1)
}
