import assert from 'node:assert/strict'
import fc from 'fast-check'
import { RPC } from '@libp2p/gossipsub/message'
import { FieldCursor } from '../../../../dht/gossip/fields.ts'

const bytes = fc.uint8Array({ maxLength: 300 })

describe('the fields of a message', () => {
  it('are those that were written', () => {
    fc.assert(
      fc.property(bytes, bytes, fc.string(), (from, seqno, topic) => {
        const cursor = new FieldCursor(RPC.Message.encode({ from, seqno, topic }))
        const found: (string | Uint8Array)[] = []
        while (cursor.next()) found.push(cursor.value())
        assert.deepEqual(found.slice(0, 2).map(Buffer.from), [from, seqno].map(Buffer.from))
      })
    )
  })

  it('end, or are refused, for any bytes', () => {
    fc.assert(
      fc.property(bytes, (hostile) => {
        const cursor = new FieldCursor(hostile)
        try {
          while (cursor.next()) assert.ok(cursor.start < cursor.end && cursor.end <= hostile.length)
          assert.equal(cursor.end, hostile.length)
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'ERR_REQUEST_FAILED')
        }
      })
    )
  })
})
