import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import { systemRandom } from '#contracts'
import type { Host } from '#dht'
import { createKeyPair, ipnsNameFromDid } from '#did'
import { cidOf } from '../../support/memory-names.ts'
import { kuboOrSkip, startKubo } from '../kubo.ts'
import type { Kubo } from '../kubo.ts'
import { startTestHost, until } from './hosts.ts'

describe('names between this project and Kubo, in the LAN DHT', () => {
  const stack = new AsyncDisposableStack()
  const { signal } = new AbortController()
  let host: Host
  let kubos: [Kubo, Kubo]

  before(async function () {
    const program = await kuboOrSkip(this)
    kubos = [stack.use(await startKubo(program)), stack.use(await startKubo(program))]
    await kubos[0].run(['swarm', 'connect', kubos[1].addresses[0] ?? ''])
    const seed = stack.use(await startTestHost())
    host = stack.use(
      await startTestHost({
        bootstrapPeers: seed.addresses(),
        ipfs: 'lan',
        ipfsBootstrapPeers: kubos.flatMap(({ addresses }) => addresses)
      })
    )
  })

  after(() => stack.disposeAsync())

  it('Kubo resolves a name that we published, and its next value', async () => {
    const publisher = createKeyPair(systemRandom)
    const name = ipnsNameFromDid(publisher.did)
    for (const text of ['first', 'second']) {
      const value = await cidOf(text)
      await host.names.publish(publisher, { value, signal, firstPublish: true })
      for (const kubo of kubos) {
        assert.equal(await kubo.run(['name', 'resolve', '--nocache', name]), `/ipfs/${value.toString()}`)
      }
    }
  })

  it('we resolve a name that Kubo published, and its next value', async () => {
    const [kubo] = kubos
    for (const text of ['first', 'second']) {
      const value = await cidOf(text)
      const answer = await kubo.run(['name', 'publish', '--resolve=false', `/ipfs/${value.toString()}`])
      const name = /k51\w+/.exec(answer)?.[0] ?? ''
      const resolved = await host.names.resolve(name, { signal })
      assert.equal(resolved.value.toString(), value.toString())
      assert.equal(resolved.fromCache, false)
    }
  })

  it('announces content where Kubo finds it, and finds what Kubo announced', async () => {
    const ours = await cidOf('ours')
    await host.routing.provide(ours, { signal })
    // an announcement is not acknowledged: the peer may still be writing it down
    await until(async () => {
      const providers = await kubos[1].run(['routing', 'findprovs', ours.toString()])
      return providers.split('\n').includes(host.peerId)
    })

    const [kubo] = kubos
    const theirs = await kubo.run(['block', 'put', '--cid-codec=raw', import.meta.filename])
    await kubo.run(['routing', 'provide', theirs])
    const found: string[] = []
    for await (const { peerId } of host.routing.findProviders(CID.parse(theirs), { signal }))
      found.push(peerId)
    assert.deepEqual(found, [kubo.peerId])
  })
})
