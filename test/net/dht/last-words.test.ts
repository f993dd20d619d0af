import assert from 'node:assert/strict'
import { multiaddr } from '@multiformats/multiaddr'
import { startTestHost, until } from './hosts.ts'

const PROTOCOL = '/test/last-words/1.0.0'

describe('a connection that is closed', () => {
  it('has sent what was said in the turn that closes it, and ends in order', async () => {
    await using near = await startTestHost()
    await using far = await startTestHost()
    const came: number[] = []
    await far.libp2p.handle(PROTOCOL, (stream) => {
      stream.addEventListener('message', ({ data }) => {
        came.push(...data.subarray())
      })
    })
    const [address = ''] = far.addresses()
    const connection = await near.libp2p.dial(multiaddr(address))
    const stream = await connection.newStream(PROTOCOL)
    stream.send(Uint8Array.of(1))
    await until(() => came.length === 1)

    const ends: (Error | undefined)[] = []
    // how it ends for the other side depends on whether that was just saying something, such as who it is
    connection.addEventListener('close', ({ error }) => ends.push(error))
    stream.send(Uint8Array.of(2, 3))
    void stream.close()
    await connection.close()
    await until(() => ends.length === 1 && came.length === 3)
    assert.deepEqual(came, [1, 2, 3])
    assert.deepEqual(ends, [undefined])
  })
})
