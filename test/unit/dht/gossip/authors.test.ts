import assert from 'node:assert/strict'
import { generateKeyPair, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { RPC } from '@libp2p/gossipsub/message'
import { createAuthors } from '../../../../dht/gossip/authors.ts'

/** A message as the pubsub specification says that it is signed. */
async function signed(privateKey: PrivateKey, change: Partial<RPC.Message> = {}): Promise<RPC.Message> {
  const from = privateKey.publicKey.toMultihash().bytes
  const unsigned = {
    from,
    data: Buffer.from('hello'),
    seqno: Buffer.from('0000000000000102', 'hex'),
    topic: '/elastos/t'
  }
  const bytes = Buffer.concat([Buffer.from('libp2p-pubsub:'), RPC.Message.encode(unsigned)])
  const key = publicKeyToProtobuf(privateKey.publicKey)
  return { ...unsigned, signature: await privateKey.sign(bytes), key, ...change }
}

describe('who wrote a message', () => {
  it('is checked by the signature over all fields', async () => {
    const authors = createAuthors()
    const privateKey = await generateKeyPair('Ed25519')
    const checked = authors.check(await signed(privateKey))
    assert.ok(typeof checked === 'object' && checked.msg.type === 'signed')
    assert.equal(checked.msg.from.toString(), privateKey.publicKey.toString())
    assert.equal(checked.msg.sequenceNumber, 0x102n)
    assert.equal(Buffer.from(checked.msg.data).toString(), 'hello')
    const changes: readonly Partial<RPC.Message>[] = [
      { data: Buffer.from('hellO') },
      { topic: '/elastos/u' },
      { seqno: Buffer.from('0000000000000103', 'hex') },
      { signature: Buffer.alloc(64) },
      { from: (await generateKeyPair('Ed25519')).publicKey.toMultihash().bytes, key: undefined as never }
    ]
    for (const change of changes) {
      const message = await signed(privateKey, change)
      if (change.from !== undefined) delete message.key
      assert.equal(authors.check(message), 'forged', JSON.stringify(change))
    }
  })

  it('has the id that every gossipsub gives it', async () => {
    const privateKey = await generateKeyPair('Ed25519')
    const checked = createAuthors().check(await signed(privateKey))
    assert.ok(typeof checked === 'object')
    const id = Buffer.concat([
      publicKeyToProtobuf(privateKey.publicKey),
      Buffer.from('0000000000000102', 'hex')
    ])
    assert.deepEqual(Buffer.from(checked.messageId.msgId), id)
  })

  it('is left to gossipsub when the message is of another form', async () => {
    const authors = createAuthors()
    const [one, other] = [await generateKeyPair('Ed25519'), await generateKeyPair('secp256k1')]
    const forms = [
      await signed(other),
      await signed(one, { key: publicKeyToProtobuf(other.publicKey) }),
      await signed(one, { seqno: Buffer.alloc(9) }),
      await signed(one, { signature: Buffer.alloc(63) }),
      { topic: '/elastos/t' }
    ]
    for (const form of forms) assert.equal(authors.check(form), undefined)
  })
})
