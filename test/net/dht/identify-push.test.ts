import assert from 'node:assert/strict'
import { identifyPush } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { systemClock } from '#contracts'
import { startTestHost, until } from './hosts.ts'
import { startStockNode } from './stock-node.ts'

const [EARLY, LATE] = ['/test/early/1.0.0', '/test/late/1.0.0']
const PUSH = '/ipfs/id/push/1.0.0'
/** Longer than libp2p gathers changes before it pushes them. */
const GATHERED_MS = 1_500

/** What one node pushes to another that connects just after it has changed, and once it has changed again. */
async function pushes(from: Libp2p, to: Libp2p): Promise<[atFirst: number, thenSoMany: number]> {
  let count = 0
  from.addEventListener('connection:open', ({ detail: connection }) => {
    const open = connection.newStream.bind(connection)
    connection.newStream = async (protocol, options) => {
      if (protocol === PUSH) count += 1
      return await open(protocol, options)
    }
  })
  const knows = async (protocol: string): Promise<boolean> => {
    const { protocols } = await to.peerStore.get(from.peerId).catch(() => ({ protocols: [] as string[] }))
    return protocols.includes(protocol)
  }
  await from.handle(EARLY, () => undefined)
  await from.dial(to.getMultiaddrs())
  await until(async () => await knows(EARLY))
  await systemClock.sleep(GATHERED_MS)
  const atFirst = count
  await from.handle(LATE, () => undefined)
  await until(async () => await knows(LATE))
  return [atFirst, count]
}

async function stockPushes(): Promise<[atFirst: number, thenSoMany: number]> {
  const services = { identifyPush: identifyPush() }
  await using from = await startStockNode({ services })
  await using to = await startStockNode({ services })
  // what it gathered while it started
  await systemClock.sleep(GATHERED_MS)
  return await pushes(from, to)
}

describe('what changed about a node', () => {
  it('stock libp2p: is told twice to whoever has just come; ours: is told to who has not heard it', async () => {
    await using from = await startTestHost()
    await using to = await startTestHost()
    assert.deepEqual(await pushes(from.libp2p, to.libp2p), [0, 1])
    // the fault shows where two nodes connect within the second in which changes are gathered: soon on any machine
    await until(async () => (await stockPushes())[0] > 0)
  })

  it('is told the next time to who could not be told, though nothing has changed since', async () => {
    await using from = await startTestHost()
    await using to = await startTestHost()
    await from.libp2p.dial(to.libp2p.getMultiaddrs())
    const [connection] = from.libp2p.getConnections()
    assert.ok(connection !== undefined)
    const open = connection.newStream.bind(connection)
    let failures = 0
    connection.newStream = async (protocol, options) => {
      if (protocol === PUSH && failures++ === 0) throw new Error('not now')
      return await open(protocol, options)
    }
    await from.libp2p.handle(LATE, () => undefined)
    await until(() => failures > 0)
    from.libp2p.dispatchEvent(new CustomEvent('self:peer:update'))
    await until(async () => (await to.libp2p.peerStore.get(from.libp2p.peerId)).protocols.includes(LATE))
  })
})
