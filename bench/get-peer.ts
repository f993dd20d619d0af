import { createReadStream, createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pipeline } from 'node:stream/promises'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { unixfs } from '@helia/unixfs'
import { multiaddr } from '@multiformats/multiaddr'
import { MemoryBlockstore } from 'blockstore-core'
import { CID } from 'multiformats/cid'
import { startHelia } from './stock-helia.ts'

/**
 * A process of the `get` benchmarks: `get-peer.ts tls|helia serve|fetch FOLDER [FILE]`. Serving, it prints where the
 * file is; fetching, it answers each such line with `fetched` once the file is on the disk.
 */

/** Both sides know this key, so that TLS needs no certificate; it protects nothing but a measurement. */
const PRESHARED = { psk: Buffer.alloc(32, 7), identity: 'bench' }
const CIPHERS = 'PSK-AES128-GCM-SHA256'

type Where = Readonly<Record<string, string | number>>

const [side = '', role = '', folder = '', file = ''] = process.argv.slice(2)

function say(event: Where): void {
  process.stdout.write(`${JSON.stringify(event)}\n`)
}

async function serveTls(): Promise<Where> {
  const options = { ciphers: CIPHERS, maxVersion: 'TLSv1.2', pskCallback: () => PRESHARED.psk } as const
  const server = createServer(options, (socket: TLSSocket) => {
    pipeline(createReadStream(file, { highWaterMark: 256 * 1024 }), socket).catch(() => undefined)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return { port: (server.address() as AddressInfo).port }
}

async function fetchTls({ port }: Where, output: string): Promise<void> {
  const socket = connect({
    ...{ host: '127.0.0.1', port: Number(port), ciphers: CIPHERS, maxVersion: 'TLSv1.2' },
    pskCallback: () => PRESHARED,
    checkServerIdentity: () => undefined
  })
  await pipeline(socket, createWriteStream(output))
}

async function serveHelia(): Promise<Where> {
  const helia = await startHelia(new MemoryBlockstore())
  const cid = await unixfs(helia).addByteStream(createReadStream(file), { profile: 'unixfs-v1-2025' })
  return { cid: cid.toString(), address: helia.libp2p.getMultiaddrs().map(String)[0] ?? '' }
}

async function fetchHelia({ cid, address }: Where, output: string): Promise<void> {
  const helia = await startHelia(new MemoryBlockstore())
  await helia.libp2p.dial(multiaddr(String(address)))
  await pipeline(unixfs(helia).cat(CID.parse(String(cid))), createWriteStream(output))
  await helia.stop()
}

if (role === 'serve') say({ event: 'ready', ...(await (side === 'tls' ? serveTls() : serveHelia())) })
else say({ event: 'ready' })

for await (const line of createInterface(process.stdin)) {
  const output = join(folder, `copy-${side}`)
  const where = JSON.parse(line) as Where
  await (side === 'tls' ? fetchTls(where, output) : fetchHelia(where, output))
  await rm(output)
  say({ event: 'fetched' })
}
process.exit()
