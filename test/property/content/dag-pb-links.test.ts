import assert from 'node:assert/strict'
import * as dagPb from '@ipld/dag-pb'
import fc from 'fast-check'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { firstLink, quickData, quickLinkCount, quickLinks } from '../../../content/dag-pb-links.ts'
import { stepKey } from '../../../content/stream/walk.ts'

const RUNS = 300

const usualCid = fc
  .tuple(fc.constantFrom(0x55, 0x70, 0x71), fc.uint8Array({ minLength: 32, maxLength: 32 }))
  .map(([codec, digest]) => CID.createV1(codec, Digest.create(0x12, digest)))

/** Those that only the library decodes: of another version, by another hash, inline. */
const unusualCid = fc.oneof(
  fc.uint8Array({ minLength: 32, maxLength: 32 }).map((digest) => CID.createV0(Digest.create(0x12, digest))),
  fc
    .uint8Array({ minLength: 64, maxLength: 64 })
    .map((digest) => CID.createV1(0x55, Digest.create(0x13, digest))),
  fc.uint8Array({ maxLength: 40 }).map((digest) => CID.createV1(0x55, Digest.create(0, digest)))
)

const blockOf = (cid: fc.Arbitrary<CID>): fc.Arbitrary<Uint8Array> =>
  fc
    .record({
      links: fc.array(
        fc.record({
          Hash: cid,
          Name: fc.option(fc.string({ unit: 'grapheme', maxLength: 200 }), { nil: undefined }),
          Tsize: fc.option(fc.maxSafeNat(), { nil: undefined })
        }),
        { maxLength: 30 }
      ),
      data: fc.option(fc.uint8Array({ maxLength: 300 }), { nil: undefined })
    })
    .map(({ links, data }) => dagPb.encode(dagPb.prepare({ Links: links, ...(data && { Data: data }) })))

/** What the library says of them; `undefined` when it refuses them. */
function decoded(bytes: Uint8Array): string[] | undefined {
  try {
    return dagPb.decode(bytes).Links.map(({ Hash }) => Hash.toString())
  } catch {
    return undefined
  }
}

const textOf = (links: readonly CID[] | undefined): string[] | undefined =>
  links?.map((link) => link.toString())

describe('the quick decoder of links', () => {
  it('decodes what we write', () => {
    fc.assert(
      fc.property(blockOf(usualCid), (bytes) => {
        const keys: string[] = []
        const links = quickLinks(bytes, keys)
        assert.deepEqual(textOf(links), decoded(bytes))
        assert.deepEqual(keys, links?.map(stepKey), 'a key is that of its link')
        assert.equal(firstLink(bytes)?.toString(), links?.[0]?.toString())
        assert.equal(quickLinkCount(bytes), links?.length)
        assert.deepEqual(quickData(bytes), dagPb.decode(bytes).Data)
        assert.deepEqual(textOf(quickLinks(bytes)), textOf(links), 'asked again')
        for (const [index, link] of dagPb.decode(bytes).Links.entries()) {
          const quick = links?.[index]
          assert.ok(quick !== undefined && quick.equals(link.Hash))
          assert.deepEqual(quick.multihash.bytes, link.Hash.multihash.bytes)
          assert.deepEqual(quick.multihash.digest, link.Hash.multihash.digest)
        }
      }),
      { numRuns: RUNS }
    )
  })

  it('decodes nothing in another way than the library, and nothing that it refuses', () => {
    const usual = blockOf(usualCid)
    const damaged = fc
      .tuple(usual, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }), fc.nat(3))
      .map(([bytes, changes, cut]) => {
        const changed = bytes.slice(0, Math.max(0, bytes.length - cut))
        for (const [at, byte] of changes) if (changed.length > 0) changed[at % changed.length] = byte
        return changed
      })
    const any = fc.oneof(blockOf(unusualCid), damaged, fc.uint8Array({ maxLength: 100 }))
    fc.assert(
      fc.property(any, (bytes) => {
        const links = quickLinks(bytes)
        assert.equal(quickLinkCount(bytes), links?.length)
        assert.ok(links !== undefined || quickData(bytes) === undefined)
        if (links === undefined) return
        assert.deepEqual(quickData(bytes), dagPb.decode(bytes).Data)
        assert.deepEqual(textOf(links), decoded(bytes))
        assert.equal(firstLink(bytes)?.toString(), links[0]?.toString())
      }),
      { numRuns: 4 * RUNS }
    )
  })
})
