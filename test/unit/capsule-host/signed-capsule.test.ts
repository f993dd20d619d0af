import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import { capsuleReference, signCapsule, verifyCapsule, type CapsuleRelease } from '#capsule-host'
import { encodeCanonical, keyPairFromSeed } from '#did'
import invalid from '../../vectors/signed-capsule/invalid.json' with { type: 'json' }
import valid from '../../vectors/signed-capsule/valid.json' with { type: 'json' }

const alice = keyPairFromSeed(new Uint8Array(32).fill(1))
const mallory = keyPairFromSeed(new Uint8Array(32).fill(2))
const ROOT = CID.parse('bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi')
const SIGNED = CID.parse('bafyreigaknpexyvxt76zgkitavbwx6ejgfheup5oybpm77f3pxzrvwpfdi')
const FILE = CID.parse('bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy')
const RELEASE: CapsuleRelease = { root: ROOT, name: 'hello', version: '0.1.0' }

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

  for (const { comment, signedBlock, publisher, name, version, root, previous } of valid) {
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

  for (const { comment, code, signedBlock } of invalid) {
    it(`is refused with ${code}: ${comment}`, () => {
      assert.throws(() => verifyCapsule(Buffer.from(signedBlock, 'hex')), { name: 'CapsuleError', code })
    })
  }

  it('of more bytes than are looked at is refused', () => {
    const bytes = encodeCanonical({ version: 1, root: ROOT, envelope: new Uint8Array(5000) })
    assert.throws(() => verifyCapsule(bytes), { code: 'ERR_CAPSULE_TAMPERED' })
  })

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
