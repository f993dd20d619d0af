import assert from 'node:assert/strict'
import { encodeMlsMessage, type KeyPackage } from 'ts-mls'
import { signKeyPackage } from 'ts-mls/keyPackage.js'
import { signLeafNodeKeyPackage, type LeafNodeTBSKeyPackage } from 'ts-mls/leafNode.js'
import type { KeyPair } from '#did'
import { commitChange, foundGroup } from '../../../../rooms/private/group.ts'
import { createPrekey, newKeyPackage, readPrekey } from '../../../../rooms/private/prekeys.ts'
import type { Suite } from '../../../../rooms/private/suite.ts'
import { createPrivateSuite } from '../../../support/private-suite.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'

const NOW_MS = 1_800_000_000_000
const SMALL_ORDER = new Uint8Array(32)

async function device(seed: number): Promise<{ signer: KeyPair; suite: Suite }> {
  return await createPrivateSuite(createSeededRandom(seed))
}

/** A key package that its device signed, but made otherwise than by this software. */
async function crafted(
  suite: Suite,
  change: (keyPackage: KeyPackage) => {
    readonly initKey?: Uint8Array
    readonly leaf?: Partial<LeafNodeTBSKeyPackage>
  }
): Promise<KeyPackage> {
  const says = { expiresAtMs: NOW_MS + 1_000, isLastResort: false }
  const { publicPackage } = await newKeyPackage(suite, says)
  const { leafNode, initKey } = publicPackage
  const changed = change(publicPackage)
  const none = new Uint8Array()
  const { signature } = suite.cipherSuite
  const leaf = await signLeafNodeKeyPackage({ ...leafNode, ...changed.leaf }, none, signature)
  const whole = { ...publicPackage, leafNode: leaf, initKey: changed.initKey ?? initKey }
  return await signKeyPackage(whole, none, signature)
}

describe('hostile prekeys', () => {
  it('are refused for all that MLS would refuse a whole commit for', async () => {
    const [ann, eve] = [await device(1), await device(2)]
    const plain = await crafted(eve.suite, () => ({}))
    const { capabilities } = plain.leafNode
    const packages = [
      await crafted(eve.suite, () => ({ initKey: SMALL_ORDER })),
      await crafted(eve.suite, () => ({ leaf: { hpkePublicKey: SMALL_ORDER } })),
      await crafted(eve.suite, ({ leafNode }) => ({ initKey: leafNode.hpkePublicKey })),
      await crafted(eve.suite, () => ({
        leaf: { lifetime: { notBefore: 1n << 62n, notAfter: 0x7fff_ffff_ffff_ffffn } }
      })),
      await crafted(eve.suite, () => ({ leaf: { capabilities: { ...capabilities, credentials: ['x509'] } } }))
    ]
    const bytesOf = (keyPackage: KeyPackage): Uint8Array =>
      encodeMlsMessage({ version: 'mls10', wireformat: 'mls_key_package', keyPackage })
    assert.equal((await readPrekey(ann.suite, bytesOf(plain), NOW_MS)).device, eve.signer.did)
    for (const keyPackage of packages)
      await assert.rejects(readPrekey(ann.suite, bytesOf(keyPackage), NOW_MS), {
        code: 'ERR_PRIVATE_MALFORMED'
      })
  })

  it('make a commit fail as one that is refused', async () => {
    const [ann, eve] = [await device(1), await device(2)]
    const { bytes } = await createPrekey(eve.suite, { nowMs: NOW_MS, isLastResort: false })
    const prekey = await readPrekey(ann.suite, bytes, NOW_MS)
    const keyPackage = await crafted(eve.suite, () => ({ initKey: SMALL_ORDER }))
    const state = await foundGroup(ann.suite, new Uint8Array(32).fill(7), Uint8Array.of(1))
    await assert.rejects(commitChange(ann.suite, state, { add: [{ ...prekey, keyPackage }], remove: [] }), {
      code: 'ERR_PRIVATE_REFUSED'
    })
  })
})
