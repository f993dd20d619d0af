import assert from 'node:assert/strict'
import { CONTROL_LIMITS } from '#contracts'
import { takeRows } from '../../../../node/control/rows.ts'

const rowsOf = (count: number, length: number): string[] =>
  Array.from({ length: count }, (_, index) => `${index}`.padEnd(length, 'é'))
const describeText = (text: string): { text: string } => ({ text })

describe('lists of the control protocol', () => {
  it('come whole in messages that are each within the limit of a line', async () => {
    const rows = rowsOf(10_000, 500)
    const messages: { text: string }[][] = []
    const send = (part: { text: string }[]): Promise<void> => {
      messages.push(part)
      return Promise.resolve()
    }
    const last = await takeRows(rows, { describe: describeText, send })
    messages.push(last.rows)
    assert.equal(last.isCut, false)
    assert.deepEqual(messages.flat(), rows.map(describeText))
    assert.ok(messages.length > 10)
    for (const message of messages) {
      const line = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { kind: 'rows', entries: message } })
      assert.ok(Buffer.byteLength(line) < CONTROL_LIMITS.lineBytesMax)
    }
  })

  it('are cut, and say so, for a caller who takes one message only', async () => {
    const { rows, isCut } = await takeRows(rowsOf(100_000, 10), { describe: describeText })
    assert.equal(rows.length, 1_000)
    assert.equal(isCut, true)
    const wide = await takeRows(rowsOf(900, 4_096), { describe: describeText })
    assert.ok(wide.rows.length < 200 && wide.isCut)
  })

  it('read no further than they are taken', async () => {
    let read = 0
    const rows = (function* (): Generator<string> {
      for (;;) yield `${read++}`
    })()
    const stopped = takeRows(rows, {
      describe: describeText,
      send: () => (read < 5_000 ? Promise.resolve() : Promise.reject(new Error('the caller is gone')))
    })
    await assert.rejects(stopped, /gone/)
    assert.ok(read < 6_100, `${read} rows were read`)
  })
})
