import assert from 'node:assert/strict'
import type { Libp2p } from '@libp2p/interface'
import { PeerRecord, RecordEnvelope } from '@libp2p/peer-record'
import { multiaddr } from '@multiformats/multiaddr'
import type { Host } from '#dht'
import { startTestHost, until } from './hosts.ts'
import { startStockNode } from './stock-node.ts'

const PROTOCOL = '/test/said/1.0.0'

/** What somebody new is told of where a node is, as the node signed it. */
async function recordOf(node: Libp2p, addresses = node.getMultiaddrs()): Promise<Uint8Array> {
  await using asking = await startTestHost()
  await asking.libp2p.dial(addresses)
  let record: Uint8Array | undefined
  await until(async () => {
    record = (await asking.libp2p.peerStore.get(node.peerId)).peerRecordEnvelope
    return record !== undefined
  })
  assert.ok(record !== undefined)
  return record
}

async function opened(bytes: Uint8Array): Promise<PeerRecord> {
  const { payload } = await RecordEnvelope.openAndCertify(bytes, PeerRecord.DOMAIN)
  return PeerRecord.createFromProtobuf(payload)
}

/** What says where a node is, to be replaced. */
function addressManagerOf({ libp2p }: Host): { getAddresses(): unknown[] } {
  const { addressManager } = libp2p.services.internals as unknown as {
    addressManager: { getAddresses(): unknown[] }
  }
  return addressManager
}

/** What of somebody new each change of what is known of them has: whether protocols, and whether the version. */
async function changesOf(host: Host, stock: Libp2p): Promise<[hasProtocols: boolean, hasVersion: boolean][]> {
  const changes: [boolean, boolean][] = []
  host.libp2p.addEventListener('peer:update', ({ detail: { peer } }) => {
    if (peer.id.equals(stock.peerId))
      changes.push([peer.protocols.includes(PROTOCOL), peer.metadata.has('AgentVersion')])
  })
  await host.libp2p.dial(stock.getMultiaddrs())
  await until(() => changes.some(([, hasVersion]) => hasVersion))
  return changes
}

describe('what a node says of itself', () => {
  it('is written down by others in one piece, of peers of all kinds', async () => {
    await using stock = await startStockNode()
    await stock.handle(PROTOCOL, () => undefined)
    await using ours = await startTestHost()
    const changes = await changesOf(ours, stock)
    assert.ok(
      changes.every(([hasProtocols, hasVersion]) => hasProtocols === hasVersion),
      JSON.stringify(changes)
    )
    const { metadata, addresses } = await ours.libp2p.peerStore.get(stock.peerId)
    assert.ok(metadata.has('ProtocolVersion') && addresses.every(({ isCertified }) => isCertified))
  })

  it('is written down of who has no address, and so no record of it', async () => {
    await using ours = await startTestHost()
    await using nowhere = await startTestHost({ listen: [] })
    await nowhere.libp2p.dial(ours.libp2p.getMultiaddrs())
    await until(async () => {
      const peer = await ours.libp2p.peerStore.get(nowhere.libp2p.peerId).catch(() => undefined)
      return peer?.metadata.has('AgentVersion') === true && peer.peerRecordEnvelope === undefined
    })
  })
})

describe('where a node says it is', () => {
  it('stock libp2p: is signed anew for each; ours: is signed once, for its addresses', async () => {
    await using stock = await startStockNode()
    assert.notDeepEqual(Buffer.from(await recordOf(stock)), Buffer.from(await recordOf(stock)))
    await using ours: Host = await startTestHost()
    const [first, second] = [await recordOf(ours.libp2p), await recordOf(ours.libp2p)]
    assert.deepEqual(Buffer.from(first), Buffer.from(second))
    const { peerId, multiaddrs } = await opened(first)
    assert.ok(peerId.equals(ours.libp2p.peerId))
    assert.deepEqual(
      multiaddrs.map((address) => `${address.toString()}/p2p/${ours.peerId}`),
      ours.libp2p.getMultiaddrs().map(String)
    )
  })

  it('is signed anew, with a later number, when it is somewhere else', async () => {
    await using ours = await startTestHost()
    const before = ours.libp2p.getMultiaddrs()
    const first = await opened(await recordOf(ours.libp2p))
    const addressManager = addressManagerOf(ours)
    const stock = addressManager.getAddresses.bind(addressManager)
    addressManager.getAddresses = () => [...stock(), multiaddr('/ip4/127.0.0.1/tcp/9')]
    const later = await opened(await recordOf(ours.libp2p, before))
    assert.equal(later.multiaddrs.length, first.multiaddrs.length + 1)
    assert.ok(later.seqNumber > first.seqNumber)
  })

  it('is believed by who was told of another place meanwhile, when it is back where it was', async () => {
    await using ours = await startTestHost()
    await using other = await startTestHost()
    const home = ours.libp2p.getMultiaddrs()
    const known = async (): Promise<PeerRecord | undefined> => {
      const peer = await other.libp2p.peerStore.get(ours.libp2p.peerId).catch(() => undefined)
      const { peerRecordEnvelope } = peer ?? {}
      return peerRecordEnvelope === undefined ? undefined : await opened(peerRecordEnvelope)
    }
    const knowsSoMany = async (count: number): Promise<boolean> =>
      (await known())?.multiaddrs.length === count
    await other.libp2p.dial(home)
    await until(async () => await knowsSoMany(home.length))
    const first = await known()
    const addressManager = addressManagerOf(ours)
    const stock = addressManager.getAddresses.bind(addressManager)
    addressManager.getAddresses = () => [...stock(), multiaddr('/ip4/127.0.0.1/tcp/9')]
    ours.libp2p.dispatchEvent(new CustomEvent('self:peer:update'))
    await until(async () => await knowsSoMany(home.length + 1))
    await other.libp2p.hangUp(ours.libp2p.peerId)
    await until(() => ours.libp2p.getConnections().length === 0)
    addressManager.getAddresses = stock
    ours.libp2p.dispatchEvent(new CustomEvent('self:peer:update'))
    await other.libp2p.dial(home)
    await until(async () => await knowsSoMany(home.length))
    assert.ok(((await known())?.seqNumber ?? 0n) > (first?.seqNumber ?? 0n))
  })
})
