import assert from 'node:assert/strict'
import { privateKeyFromRaw, publicKeyFromRaw } from '@libp2p/crypto/keys'
import { systemRandom } from '#contracts'
import { createKeyPair } from '#did'
import { deviceKey } from '../../../dht/device-key.ts'

const VOUCHED = Buffer.concat([Buffer.from('noise-libp2p-static-key:'), Buffer.alloc(32, 7)])

describe('dht/device-key', () => {
  const keyPair = createKeyPair(systemRandom)
  const stock = privateKeyFromRaw(Buffer.concat([keyPair.seed, keyPair.publicKey]))
  const key = deviceKey(keyPair)

  it('is the key that libp2p makes of the same bytes, and signs as it does', async () => {
    assert.ok(key.equals(stock))
    const message = Buffer.from('signed by the device')
    const signature = await key.sign(message)
    assert.deepEqual(Buffer.from(signature), Buffer.from(await stock.sign(message)))
    assert.ok(await stock.publicKey.verify(message, signature))
  })

  it('vouches for its key of noise once, and for each other that it may have', async () => {
    const first = await key.sign(VOUCHED)
    assert.equal(await key.sign(Uint8Array.from(VOUCHED)), first)
    assert.deepEqual(Buffer.from(first), Buffer.from(await stock.sign(VOUCHED)))
    const other = Buffer.from(VOUCHED).fill(8, VOUCHED.length - 32)
    assert.deepEqual(Buffer.from(await key.sign(other)), Buffer.from(await stock.sign(other)))
  })

  it('is not fooled about a key of noise by who changes what was signed afterwards', async () => {
    const message = Uint8Array.from(VOUCHED)
    await key.sign(message)
    message[message.length - 1] = 99
    assert.deepEqual(Buffer.from(await key.sign(message)), Buffer.from(await stock.sign(message)))
  })

  it('takes a signature of any peer for valid once it was, and for nothing else', async () => {
    const message = Buffer.from('said in each handshake')
    const signature = await stock.sign(message)
    const peer = publicKeyFromRaw(keyPair.publicKey)
    for (let again = 0; again < 2; again++) assert.equal(await peer.verify(message, signature), true)
    assert.equal(await peer.verify(Buffer.from('said in each handshakf'), signature), false)
    const forged = Buffer.from(signature)
    forged[0] = (forged[0] ?? 0) ^ 1
    for (let again = 0; again < 2; again++) assert.equal(await peer.verify(message, forged), false)
    const stranger = publicKeyFromRaw(createKeyPair(systemRandom).publicKey)
    assert.equal(await stranger.verify(message, signature), false)
  })

  it('refuses a key of small order, which signs whatever one likes', async () => {
    const neutral = Uint8Array.from({ length: 32 }, (_, index) => (index === 0 ? 1 : 0))
    const signature = Buffer.concat([neutral, Buffer.alloc(32)])
    assert.equal(await publicKeyFromRaw(neutral).verify(VOUCHED, signature), false)
  })
})
