import assert from 'node:assert/strict'
import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import { systemRandom } from '#contracts'
import { createKeyPair } from '#did'
import { deviceKey } from '../../../dht/device-key.ts'

describe('dht/device-key', () => {
  it('is the key that libp2p makes of the same bytes, and signs as it does', async () => {
    const keyPair = createKeyPair(systemRandom)
    const stock = privateKeyFromRaw(Buffer.concat([keyPair.seed, keyPair.publicKey]))
    const key = deviceKey(keyPair)
    assert.ok(key.equals(stock))
    const message = Buffer.from('signed by the device')
    const signature = await key.sign(message)
    assert.deepEqual(Buffer.from(signature), Buffer.from(await stock.sign(message)))
    assert.ok(await stock.publicKey.verify(message, signature))
  })
})
