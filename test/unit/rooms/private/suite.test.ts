import assert from 'node:assert/strict'
import {
  createApplicationMessage,
  createCommit,
  createGroup,
  defaultCapabilities,
  defaultCryptoProvider,
  defaultLifetime,
  emptyPskIndex,
  generateKeyPackageWithKey,
  getCiphersuiteFromName,
  joinGroup,
  processPrivateMessage,
  type CiphersuiteImpl
} from 'ts-mls'
import { SUITE_NAME } from '../../../../rooms/private/suite.ts'
import { createPrivateSuite } from '../../../support/private-suite.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'

interface Side {
  readonly suite: CiphersuiteImpl
  readonly signKey: Uint8Array
  readonly publicKey: Uint8Array
}

async function ours(seed: number): Promise<Side> {
  const random = createSeededRandom(seed)
  const { suite, signer } = await createPrivateSuite(random)
  return { suite: suite.cipherSuite, signKey: new Uint8Array(), publicKey: signer.publicKey }
}

async function theirs(): Promise<Side> {
  const suite = await defaultCryptoProvider.getCiphersuiteImpl(getCiphersuiteFromName(SUITE_NAME))
  return { suite, ...(await suite.signature.keygen()) }
}

/** One of the two founds a group, takes the other in and says something; what the other hears. */
async function talk(one: Side, other: Side): Promise<string> {
  const packageOf = async (side: Side, name: string): ReturnType<typeof generateKeyPackageWithKey> =>
    await generateKeyPackageWithKey(
      { credentialType: 'basic', identity: Buffer.from(name) },
      defaultCapabilities(),
      defaultLifetime,
      [],
      side,
      side.suite
    )
  const [own, added] = [await packageOf(one, 'one'), await packageOf(other, 'other')]
  const group = await createGroup(Buffer.from('group'), own.publicPackage, own.privatePackage, [], one.suite)
  const { newState, welcome } = await createCommit(
    { state: group, cipherSuite: one.suite },
    {
      extraProposals: [{ proposalType: 'add', add: { keyPackage: added.publicPackage } }],
      ratchetTreeExtension: true
    }
  )
  assert.ok(welcome)
  const joined = await joinGroup(
    welcome,
    added.publicPackage,
    added.privatePackage,
    emptyPskIndex,
    other.suite
  )
  const { privateMessage } = await createApplicationMessage(newState, Buffer.from('hello'), one.suite)
  const result = await processPrivateMessage(joined, privateMessage, emptyPskIndex, other.suite)
  assert.ok(result.kind === 'applicationMessage')
  return Buffer.from(result.message).toString()
}

describe('the suite of private rooms', () => {
  it('is understood by the cryptography of the platform, and understands it', async () => {
    assert.equal(await talk(await ours(1), await theirs()), 'hello')
    assert.equal(await talk(await theirs(), await ours(1)), 'hello')
    assert.equal(await talk(await ours(1), await ours(2)), 'hello')
  })

  it('derives what the platform derives', async () => {
    const [own, platform] = [(await ours(1)).suite, (await theirs()).suite]
    const key = Uint8Array.from({ length: 32 }, (_, index) => index)
    const data = Buffer.from('data')
    assert.deepEqual(await own.hash.digest(data), await platform.hash.digest(data))
    assert.deepEqual(await own.hash.mac(key, data), await platform.hash.mac(key, data))
    assert.deepEqual(await own.kdf.extract(key, data), await platform.kdf.extract(key, data))
    for (const length of [1, 32, 33, 100])
      assert.deepEqual(await own.kdf.expand(key, data, length), await platform.kdf.expand(key, data, length))
    assert.equal(await own.hash.verifyMac(key, await platform.hash.mac(key, data), data), true)
    assert.equal(await own.hash.verifyMac(key, new Uint8Array(32), data), false)
  })

  it('draws nothing at random but from what it was handed', async () => {
    const keys = async (): Promise<unknown> => {
      const { suite } = await ours(7)
      const { publicKey } = await suite.hpke.generateKeyPair()
      return await suite.hpke.seal(publicKey, Buffer.from('text'), new Uint8Array())
    }
    assert.deepEqual(await keys(), await keys())
  })
})
