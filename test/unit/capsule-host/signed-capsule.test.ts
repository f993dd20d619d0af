import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import { capsuleReference, signCapsule, verifyCapsule, type CapsuleRelease } from '#capsule-host'
import { decodeCanonical, encodeCanonical, keyPairFromSeed, sealEnvelope } from '#did'
import vectors from '../../vectors/signed-capsule/valid.json' with { type: 'json' }

const alice = keyPairFromSeed(new Uint8Array(32).fill(1))
const mallory = keyPairFromSeed(new Uint8Array(32).fill(2))
const ROOT = CID.parse('bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi')
const OTHER_ROOT = CID.parse('bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku')
const SIGNED = CID.parse('bafyreigaknpexyvxt76zgkitavbwx6ejgfheup5oybpm77f3pxzrvwpfdi')
const FILE = CID.parse('bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy')
const RELEASE: CapsuleRelease = { root: ROOT, name: 'hello', version: '0.1.0' }

function sealed(payload: unknown, labels = { domain: 'elastos/capsule', type: 'release/1' }): Uint8Array {
  return encodeCanonical({ version: 1, root: ROOT, envelope: sealEnvelope(alice, { ...labels, payload }) })
}

const PAYLOAD = { root: ROOT, name: 'hello', version: '0.1.0', previous: null }

describe('a signed capsule', () => {
  it('says who signed what', () => {
    const verified = verifyCapsule(signCapsule(alice, { ...RELEASE, previous: SIGNED }))
    assert.equal(verified.publisher, alice.did)
    assert.equal(verified.root.toString(), ROOT.toString())
    assert.equal(verified.previous?.toString(), SIGNED.toString())
    assert.equal(verified.name, 'hello')
    assert.equal(verified.version, '0.1.0')
  })

  it('is the same bytes each time, so that it has one CID', () => {
    assert.deepEqual(signCapsule(alice, RELEASE), signCapsule(alice, RELEASE))
  })

  it('is the one that was asked for', () => {
    const bytes = signCapsule(alice, RELEASE)
    assert.equal(verifyCapsule(bytes, { publisher: alice.did, name: 'hello' }).name, 'hello')
    assert.throws(() => verifyCapsule(bytes, { publisher: mallory.did }), { code: 'ERR_CAPSULE_SIGNER' })
    assert.throws(() => verifyCapsule(bytes, { publisher: alice.did, name: 'other' }), {
      code: 'ERR_CAPSULE_NAME_MISMATCH'
    })
  })

  for (const { comment, signedBlock, publisher, name, version, root, previous } of vectors) {
    it(`is read from its vector: ${comment}`, () => {
      const verified = verifyCapsule(Buffer.from(signedBlock, 'hex'))
      assert.deepEqual(
        { ...verified, root: verified.root.toString(), previous: verified.previous?.toString() ?? null },
        { publisher, name, version, root, previous }
      )
    })
  }

  it('refuses each single flipped bit', () => {
    const bytes = signCapsule(alice, RELEASE)
    const codes = new Set<string>()
    for (let bit = 0; bit < bytes.byteLength * 8; bit++) {
      const flipped = bytes.slice()
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      assert.throws(
        () => verifyCapsule(flipped),
        (thrown: unknown) => {
          codes.add((thrown as { code: string }).code)
          return true
        }
      )
    }
    assert.deepEqual([...codes].toSorted(), ['ERR_CAPSULE_TAMPERED', 'ERR_CAPSULE_UNSIGNED'])
  })

  it('without an envelope is unsigned', () => {
    for (const block of [
      { version: 1, root: ROOT },
      { version: 1, root: ROOT, envelope: null }
    ]) {
      assert.throws(() => verifyCapsule(encodeCanonical(block)), { code: 'ERR_CAPSULE_UNSIGNED' })
    }
  })

  it('whose link was exchanged for another is refused', () => {
    const block = decodeCanonical(signCapsule(alice, RELEASE), { bytesMax: 4096 }) as Record<string, unknown>
    assert.throws(() => verifyCapsule(encodeCanonical({ ...block, root: OTHER_ROOT })), {
      code: 'ERR_CAPSULE_TAMPERED'
    })
  })

  const tampered: [string, Uint8Array][] = [
    ['an envelope of another domain', sealed(PAYLOAD, { domain: 'elastos/room', type: 'release/1' })],
    ['an envelope of another type', sealed(PAYLOAD, { domain: 'elastos/capsule', type: 'release/2' })],
    ['a payload with one field more', sealed({ ...PAYLOAD, extra: 1 })],
    ['a payload without a version', sealed({ root: ROOT, name: 'hello', previous: null })],
    ['a root as text', sealed({ ...PAYLOAD, root: ROOT.toString() })],
    ['a root that is no folder', sealed({ ...PAYLOAD, root: FILE })],
    ['a name no manifest may have', sealed({ ...PAYLOAD, name: 'Hello\u001b[31m' })],
    ['a version that is none', sealed({ ...PAYLOAD, version: 'latest' })],
    ['a previous release that is a folder', sealed({ ...PAYLOAD, previous: OTHER_ROOT })],
    ['a payload that is a list', sealed([ROOT])],
    ['a payload that is a link', sealed(ROOT)],
    [
      'another version of the block',
      encodeCanonical({ version: 2, root: ROOT, envelope: new Uint8Array(9) })
    ],
    [
      'one field more in the block',
      encodeCanonical({ version: 1, root: ROOT, envelope: new Uint8Array(9), extra: 1 })
    ],
    ['an envelope that is text', encodeCanonical({ version: 1, root: ROOT, envelope: 'x' })],
    ['a block that is a list', encodeCanonical([1])],
    ['a block that is bytes', encodeCanonical(new Uint8Array(3))],
    ['a block that is null', encodeCanonical(null)],
    ['no bytes', new Uint8Array(0)],
    [
      'more bytes than are looked at',
      encodeCanonical({ version: 1, root: ROOT, envelope: new Uint8Array(5000) })
    ]
  ]
  for (const [comment, bytes] of tampered) {
    it(`is refused: ${comment}`, () => {
      assert.throws(() => verifyCapsule(bytes), { name: 'CapsuleError', code: 'ERR_CAPSULE_TAMPERED' })
    })
  }

  it('is not made for what could not be verified', () => {
    for (const wrong of [
      { name: 'Hello' },
      { version: '1' },
      { root: FILE },
      { root: SIGNED },
      { previous: ROOT }
    ]) {
      assert.throws(() => signCapsule(alice, { ...RELEASE, ...wrong }), { code: 'ERR_PACKAGE_INVALID' })
    }
  })
})

describe('a CID that somebody wants to run', () => {
  it('is told apart by its codec: signed, a bare package, or neither', () => {
    assert.equal(capsuleReference(SIGNED), 'signed')
    assert.equal(capsuleReference(ROOT), 'package')
    assert.equal(capsuleReference(FILE), 'unknown')
    assert.equal(capsuleReference(CID.parse('QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG')), 'unknown')
  })
})
