import { createInterface } from 'node:readline'
import { silentLogger, systemClock } from '#contracts'
import { decode } from '@ipld/dag-pb'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { MemoryBlockstore } from 'blockstore-core'
import { importer } from 'ipfs-unixfs-importer'
import { createLibp2p, type Libp2p } from 'libp2p'
import { CID } from 'multiformats/cid'
import { startBitswap, type BlockSource } from '../content/bitswap/index.ts'
import { testLibp2pInit } from '../test/net/content/exchange-nodes.ts'
import { startHelia } from './stock-helia.ts'

/**
 * A process of the `exchange` benchmark: `exchange-peer.ts ours|helia serve|fetch`. Prints a JSON line when it is
 * ready, then answers each JSON line on its standard input with the event that it names. Blocks are in memory on both sides.
 */

/** Where a serving process is and what it has. */
export interface Served {
  readonly root: string
  readonly peerId: string
  readonly multiaddrs: readonly string[]
}

type Get = (cid: CID) => Promise<Uint8Array>

const FILE_BYTES = 256 * 1024 * 1024
const BLOCKS_AT_A_TIME = 32

async function main([side, role]: readonly string[]): Promise<void> {
  if (role === 'serve') {
    const { libp2p, root } = side === 'ours' ? await serveOurs() : await serveHelia()
    const multiaddrs = libp2p.getMultiaddrs().map((address) => address.toString())
    say({ event: 'ready', root: root.toString(), peerId: libp2p.peerId.toString(), multiaddrs })
  } else say({ event: 'ready' })
  for await (const line of createInterface(process.stdin)) {
    const { event, ...served } = JSON.parse(line) as Served & { readonly event: string }
    const rate = side === 'ours' ? await fetchOurs(served) : await fetchHelia(served)
    say({ event, rate })
  }
  process.exit()
}

function say(event: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(event)}\n`)
}

async function startOurs(libp2p: Libp2p, store: BlockSource): ReturnType<typeof startBitswap> {
  const mayServe = (): Promise<boolean> => Promise.resolve(true)
  return startBitswap({ libp2p, store, mayServe, clock: systemClock, logger: silentLogger })
}

async function* fileBytes(): AsyncGenerator<Uint8Array> {
  const chunkBytes = 1024 * 1024
  for (let at = 0; at < FILE_BYTES; at += chunkBytes) {
    const chunk = new Uint8Array(chunkBytes)
    new DataView(chunk.buffer).setUint32(0, at)
    yield chunk
    await Promise.resolve()
  }
}

async function importTo(put: (cid: CID, bytes: Uint8Array) => unknown): Promise<CID> {
  const store = {
    put: async (cid: CID, bytes: unknown): Promise<CID> => {
      await put(cid, bytes as Uint8Array)
      return cid
    }
  }
  let root: CID | undefined
  for await (const { cid } of importer([{ content: fileBytes() }], store, { profile: 'unixfs-v1-2025' })) {
    root = cid
  }
  if (root === undefined) throw new Error('expected the importer to make a root')
  return root
}

async function serveOurs(): Promise<{ libp2p: Libp2p; root: CID }> {
  const blocks = new Map<string, Uint8Array>()
  const root = await importTo((cid, bytes) => blocks.set(cid.toString(), bytes))
  const libp2p = await createLibp2p(testLibp2pInit())
  await startOurs(libp2p, {
    has: (cid) => Promise.resolve(blocks.has(cid.toString())),
    get: (cid) => Promise.resolve(blocks.get(cid.toString()))
  })
  return { libp2p, root }
}

async function serveHelia(): Promise<{ libp2p: Libp2p; root: CID }> {
  const blocks = new MemoryBlockstore()
  const root = await importTo((cid, bytes) => blocks.put(cid, bytes))
  const { libp2p } = await startHelia(blocks)
  return { libp2p, root }
}

async function fetchOurs({ root, peerId, multiaddrs }: Served): Promise<number> {
  const libp2p = await createLibp2p(testLibp2pInit())
  const nothing = { has: () => Promise.resolve(false), get: () => Promise.resolve(undefined) }
  const bitswap = await startOurs(libp2p, nothing)
  await libp2p.dial(multiaddrs.map((address) => multiaddr(address)))
  const { signal } = new AbortController()
  const blocks = new Map<string, Uint8Array>()
  const session = bitswap.createSession({
    root: CID.parse(root),
    signal,
    providers: [{ peerId, multiaddrs }]
  })
  const rate = await measure(CID.parse(root), async (cid) => {
    const block = await session.fetch(cid, { signal })
    blocks.set(cid.toString(), block)
    return block
  })
  await bitswap[Symbol.asyncDispose]()
  await libp2p.stop()
  return rate
}

async function fetchHelia({ root, peerId, multiaddrs }: Served): Promise<number> {
  const helia = await startHelia(new MemoryBlockstore())
  await helia.libp2p.dial(multiaddrs.map((address) => multiaddr(address)))
  const providers = [peerIdFromString(peerId).toCID()]
  const session = helia.blockstore.createSession(CID.parse(root), { providers })
  const rate = await measure(CID.parse(root), async (cid) => {
    const parts: Uint8Array[] = []
    for await (const part of session.get(cid)) parts.push(part)
    const [only] = parts
    return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts)
  })
  session.close()
  await helia.stop()
  return rate
}

/** Gets every block of a file with one level of links and returns MB/s. */
async function measure(root: CID, get: Get): Promise<number> {
  const startedAt = performance.now()
  const leaves = decode(await get(root)).Links.map(({ Hash }) => Hash)
  let bytes = 0
  let next = 0
  const fetchSome = async (): Promise<void> => {
    for (let leaf = leaves[next++]; leaf !== undefined; leaf = leaves[next++]) {
      const block = await get(leaf)
      bytes += block.byteLength
    }
  }
  await Promise.all(Array.from({ length: BLOCKS_AT_A_TIME }, fetchSome))
  if (bytes !== FILE_BYTES) throw new Error(`expected ${FILE_BYTES} bytes, got ${bytes}`)
  return bytes / 1e6 / ((performance.now() - startedAt) / 1_000)
}

await main(process.argv.slice(2))
