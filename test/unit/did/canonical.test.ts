import assert from 'node:assert/strict'
import { decodeCanonical, encodeCanonical } from '#did'

const BOUNDS = { bytesMax: 1_000_000 }

describe('canonical DAG-CBOR', () => {
  it('bounds size, nesting and items before it builds anything', () => {
    assert.throws(() => decodeCanonical(new Uint8Array(11), { bytesMax: 10 }), { code: 'ERR_CBOR_TOO_LARGE' })
    // A million nested arrays would overflow the stack of a recursive reader.
    assert.throws(() => decodeCanonical(new Uint8Array(1_000_000).fill(0x81), BOUNDS), {
      code: 'ERR_CBOR_TOO_DEEP'
    })
    const long = encodeCanonical(Array<number>(1000).fill(0))
    assert.throws(() => decodeCanonical(long, { ...BOUNDS, itemsMax: 1000 }), { code: 'ERR_CBOR_TOO_DEEP' })
    assert.deepEqual(decodeCanonical(long, { ...BOUNDS, itemsMax: 1001 }), Array(1000).fill(0))
    const nested = encodeCanonical([[[1]]])
    assert.deepEqual(decodeCanonical(nested, { ...BOUNDS, depthMax: 3 }), [[[1]]])
    assert.throws(() => decodeCanonical(nested, { ...BOUNDS, depthMax: 2 }), { code: 'ERR_CBOR_TOO_DEEP' })
  })

  it('gives plain data: a key named __proto__ changes nothing', () => {
    const bytes = Uint8Array.from([0xa1, 0x69, ...Buffer.from('__proto__'), 0xa1, 0x61, 0x78, 1])
    const value = decodeCanonical(bytes, BOUNDS) as { x?: unknown }
    assert.equal(Object.getPrototypeOf(value), Object.prototype)
    assert.equal(value.x, undefined)
  })

  it('takes no map for a link', () => {
    // {"/": "a", "bytes": "a"} looks like a CID object to the codec.
    const bytes = Uint8Array.from([0xa2, 0x61, 0x2f, 0x61, 0x61, 0x65, ...Buffer.from('bytes'), 0x61, 0x61])
    assert.throws(() => decodeCanonical(bytes, BOUNDS), { code: 'ERR_CBOR_NOT_CANONICAL' })
  })

  it('copies the bytes inside, unless it is told that views of them will do', () => {
    const bytes = encodeCanonical([Uint8Array.of(1, 2, 3)])
    const [copied] = decodeCanonical(bytes, BOUNDS) as [Uint8Array]
    const [viewed] = decodeCanonical(bytes, { ...BOUNDS, isViewing: true }) as [Uint8Array]
    assert.deepEqual([...viewed], [1, 2, 3])
    assert.equal(viewed.buffer, bytes.buffer)
    bytes.fill(9)
    assert.deepEqual([...copied], [1, 2, 3])
  })

  it('writes one value while it writes another, and the large after the small', () => {
    const inner = { a: 'inner' }
    const outer = {
      get nested() {
        return encodeCanonical(inner)
      }
    }
    assert.deepEqual(encodeCanonical(outer), encodeCanonical({ nested: encodeCanonical(inner) }))
    const large = new Uint8Array(300_000).fill(7)
    assert.deepEqual(decodeCanonical(encodeCanonical([large, 'end']), BOUNDS), [large, 'end'])
    assert.deepEqual(decodeCanonical(encodeCanonical(['small']), BOUNDS), ['small'])
  })
})
