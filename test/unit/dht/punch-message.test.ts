import assert from 'node:assert/strict'
import { multiaddr } from '@multiformats/multiaddr'
import * as fc from 'fast-check'
import { decodePunchMessage, encodePunchMessage } from '../../../dht/punch-message.ts'

const ADDRESS = multiaddr('/ip4/20.7.0.2/tcp/4697').bytes

describe('a message of DCUtR', () => {
  it('has the bytes that the specification of libp2p gives it', () => {
    const connect = encodePunchMessage({ type: 'connect', addresses: [ADDRESS] })
    assert.equal(Buffer.from(connect).toString('hex'), '0864' + '1208' + '04140700020612' + '59')
    const sync = encodePunchMessage({ type: 'sync', addresses: [] })
    assert.equal(Buffer.from(sync).toString('hex'), '08ac02')
    assert.deepEqual(decodePunchMessage(sync), { type: 'sync', addresses: [] })
    const { type, addresses } = decodePunchMessage(connect)
    assert.deepEqual(
      [type, addresses.map((bytes) => multiaddr(bytes).toString())],
      ['connect', ['/ip4/20.7.0.2/tcp/4697']]
    )
  })

  it('keeps a few of many addresses', () => {
    const addresses = Array.from({ length: 100 }, () => ADDRESS)
    assert.ok(decodePunchMessage(encodePunchMessage({ type: 'connect', addresses })).addresses.length <= 8)
  })

  it('is refused when it is cut short, too long, of no type or of unknown fields', () => {
    const connect = encodePunchMessage({ type: 'connect', addresses: [ADDRESS] })
    for (const hex of [
      '',
      '0865',
      '08',
      '1208',
      '20010864',
      Buffer.from(connect.subarray(0, -1)).toString('hex')
    ]) {
      assert.throws(() => decodePunchMessage(Buffer.from(hex, 'hex')), RangeError, hex)
    }
    assert.throws(() => decodePunchMessage(new Uint8Array(5_000)), RangeError)
  })

  it('is decoded or refused with a RangeError, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          decodePunchMessage(bytes)
        } catch (error) {
          assert.ok(error instanceof RangeError, String(error))
        }
      })
    )
  })
})
