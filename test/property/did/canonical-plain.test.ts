import assert from 'node:assert/strict'
import { decode, encode } from '@ipld/dag-cbor'
import fc from 'fast-check'
import { CID } from 'multiformats/cid'
import { decodePlain, encodePlain } from '../../../did/canonical-plain.ts'

const BOUNDS = { depthMax: 32, itemsMax: 10_000 }

const key = fc.oneof(
  fc.string({ unit: 'grapheme-ascii', maxLength: 30 }),
  fc.constantFrom('__proto__', '/', 'asCID', 'ä', '')
)
const leaf = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer({ min: -300, max: 70_000 }),
  fc.constantFrom(0, -0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, -(2 ** 53) + 1, 2 ** 53 - 1),
  fc.boolean(),
  fc.constant(null),
  fc.string({ unit: 'grapheme-ascii', maxLength: 300 }),
  fc.string({ unit: 'binary', maxLength: 10 }),
  fc.uint8Array({ maxLength: 300 }),
  fc.double(),
  fc.bigInt(),
  fc.constant(undefined),
  fc.constant(CID.parse('bafkqaaa'))
)
const value = fc.letrec((tie) => ({
  node: fc.oneof(
    { maxDepth: 5 },
    leaf,
    fc.array(tie('node'), { maxLength: 6 }),
    fc.dictionary(key, tie('node'), { maxKeys: 6 })
  )
})).node

/** The general codec, and whether writing what it read gives the same bytes. */
function general(bytes: Uint8Array): { readonly value: unknown } | undefined {
  try {
    const decoded: unknown = decode(bytes)
    return Buffer.compare(encode(decoded), bytes) === 0 ? { value: decoded } : undefined
  } catch {
    return undefined
  }
}

function assertSame(bytes: Uint8Array): boolean {
  const plain = decodePlain(bytes, BOUNDS)
  if (plain === undefined) return false
  const expected = general(bytes)
  assert.ok(expected !== undefined, `only one codec takes ${Buffer.from(bytes).toString('hex')}`)
  assert.deepStrictEqual(plain, expected.value)
  return true
}

describe('properties of the codec of plain data', () => {
  it('what it writes, the general codec writes too; what it leaves is not plain', () => {
    let written = 0
    fc.assert(
      fc.property(value, (one) => {
        const plain = encodePlain(one, BOUNDS)
        if (plain === undefined) return
        written += 1
        assert.deepStrictEqual(Buffer.from(plain), Buffer.from(encode(one)))
        assert.ok(assertSame(plain))
      }),
      { numRuns: 2_000 }
    )
    assert.ok(written > 200, `${written} of 2000`)
  })

  it('what it reads, the general codec reads alike and writes again as the same bytes, whatever byte is changed', () => {
    const edit = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }))
    fc.assert(
      fc.property(value, fc.array(edit, { maxLength: 3 }), (one, edits) => {
        const bytes = encodePlain(one, BOUNDS)
        if (bytes === undefined) return
        for (const [at, byte] of edits) if (bytes.length > 0) bytes[at % bytes.length] = byte
        assertSame(bytes)
      }),
      { numRuns: 3_000 }
    )
  })

  it('no bytes do anything but be read alike or be left', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        assertSame(bytes)
      }),
      { numRuns: 5_000 }
    )
  })

  it('heads in a longer form, keys out of order or twice, and other texts than ASCII are left', () => {
    const left = [
      '1817',
      '190017',
      '1a00000017',
      '1b0000000000000017',
      'a2616201616101',
      'a2616101616102',
      '62c3a4',
      // maps that look like links
      'a2612f0165627974657301',
      'a2612f61786562797465736178',
      'a16561734349440a'
    ]
    for (const hex of [
      ...left,
      'f7',
      'f97e00',
      'd82a4100',
      '9f01ff',
      '7f6161ff',
      '01' + '00',
      '',
      '41',
      '8201'
    ])
      assert.equal(decodePlain(Buffer.from(hex, 'hex'), BOUNDS), undefined, hex)
  })

  it('nests and counts as far as it is told', () => {
    const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)])
    for (const depth of [1, 4, 5, 6]) {
      const bytes = encodePlain(nested(depth), BOUNDS) ?? assert.fail()
      const bounds = { depthMax: 5, itemsMax: 100 }
      assert.equal(decodePlain(bytes, bounds) !== undefined, depth <= 5)
      assert.equal(encodePlain(nested(depth), bounds) !== undefined, depth <= 5)
    }
    const bytes = encodePlain({ a: 1, b: [1, 2] }, BOUNDS) ?? assert.fail()
    for (const [itemsMax, isEnough] of [
      [6, false],
      [7, true]
    ] as const) {
      assert.equal(decodePlain(bytes, { depthMax: 5, itemsMax }) !== undefined, isEnough)
      assert.equal(encodePlain({ a: 1, b: [1, 2] }, { depthMax: 5, itemsMax }) !== undefined, isEnough)
    }
  })
})
