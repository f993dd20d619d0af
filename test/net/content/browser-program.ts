/**
 * What a page would do: with Helia and the WebSocket of the platform, fetches a block from the node at `ADDRESS`. Bundled
 * for browsers by `browser.test.ts`; prints how many bytes came.
 */
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight } from '@helia/libp2p'
import { noise } from '@libp2p/noise'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { MemoryBlockstore } from 'blockstore-core'
import { MemoryDatastore } from 'datastore-core'
import { createHeliaLight } from 'helia'
import { CID } from 'multiformats/cid'

declare const ADDRESS: string
declare const ROOT: string

const bare = createHeliaLight({ blockstore: new MemoryBlockstore(), datastore: new MemoryDatastore() })
const helia = withBitswap(
  withLibp2pLight(bare, {
    transports: [webSockets()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    // a page is not to reach for the machine it runs on, unless it is told to
    connectionGater: { denyDialMultiaddr: () => false }
  })
)
await helia.start()
const { remotePeer } = await helia.libp2p.dial(multiaddr(ADDRESS))
const session = helia.blockstore.createSession(CID.parse(ROOT), { providers: [remotePeer.toCID()] })
let bytes = 0
for await (const part of session.get(CID.parse(ROOT), { signal: AbortSignal.timeout(20_000) }))
  bytes += part.length
console.log(JSON.stringify({ event: 'fetched', bytes }))
