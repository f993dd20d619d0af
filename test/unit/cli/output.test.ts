import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  formatBytes,
  formatTable,
  jsonLine,
  printField,
  printNotice,
  printResult,
  safeText
} from '../../../cli/output.ts'
import type { CliContext } from '../../../cli/context.ts'

/** What a terminal may act on, and what turns text around. */
// eslint-disable-next-line no-control-regex -- these are the characters that must not be there
const STEERING = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u
const EVIL = 'a\u001b]52;c;x\u0007b\u009b2Jc\u202ed\r\ne'

function createContext(json: boolean): { context: CliContext; stdout: () => string; stderr: () => string } {
  const written = { stdout: '', stderr: '' }
  const stream = (name: 'stdout' | 'stderr'): object => ({
    write: async (text: string) => {
      written[name] += text
      await Promise.resolve()
    },
    isTerminal: true,
    columns: 80,
    rows: 24
  })
  const context = { json, stdout: stream('stdout'), stderr: stream('stderr') } as unknown as CliContext
  return { context, stdout: () => written.stdout, stderr: () => written.stderr }
}

describe('what commands print', () => {
  it('cannot steer a terminal, whoever wrote it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.doesNotMatch(safeText(text), STEERING)
        assert.doesNotMatch(safeText(text), /\n/)
        assert.doesNotMatch(jsonLine({ [text]: text }), STEERING)
      })
    )
  })

  it('is the same value for a program, whatever is in it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const value = { [`k${text}`]: [text] }
        const line = jsonLine(value)
        assert.deepEqual(JSON.parse(line), JSON.parse(JSON.stringify(value)))
        assert.equal(line.indexOf('\n'), line.length - 1)
      })
    )
  })

  for (const json of [false, true]) {
    it(`is one safe line for each thing said (${json ? 'for programs' : 'for people'})`, async () => {
      const { context, stdout, stderr } = createContext(json)
      await printResult(context, { text: EVIL }, [EVIL])
      await printField(context, { text: EVIL }, 'text')
      await printNotice(context, EVIL)
      for (const text of [stdout(), stderr()]) assert.doesNotMatch(text, STEERING)
      assert.equal(stdout().split('\n').length, 3)
      assert.equal(stderr().split('\n').length, 2)
    })
  }

  it('has no value of a name that the result does not have, inherited ones included', async () => {
    const { context } = createContext(false)
    for (const name of ['more', 'toString', '__proto__']) {
      await assert.rejects(printField(context, { text: 'x' }, name), { code: 'ERR_USAGE' })
    }
  })

  it('aligns a table and ends no line with blanks', () => {
    assert.deepEqual(
      formatTable([
        ['a', 'bb'],
        ['ccc', '']
      ]),
      ['a    bb', 'ccc']
    )
  })

  it('counts bytes as people do', () => {
    assert.deepEqual([0, 1023, 1024, 1536, 1024 ** 5].map(formatBytes), [
      '0 B',
      '1023 B',
      '1.0 KiB',
      '1.5 KiB',
      '1024.0 TiB'
    ])
  })
})
