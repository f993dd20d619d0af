import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import type { ResolveTxt } from '#dht'

/** A server of the domain name system on loopback that knows some TXT records and nothing else. */
export interface DnsServer extends AsyncDisposable {
  /** The records of each domain; change them at will. */
  readonly records: Map<string, readonly string[]>
  /** Reads records through a real resolver that asks this server alone. */
  readonly resolveTxt: ResolveTxt
  /** The domains that were asked about, in order. */
  readonly asked: readonly string[]
  /** Says nothing any more. */
  isSilent: boolean
}

const TYPE_TXT = 16
const HEADER_BYTES = 12

/** Starts one. */
export async function startDnsServer(
  records: Readonly<Record<string, readonly string[]>>
): Promise<DnsServer> {
  const socket = createSocket('udp4')
  const asked: string[] = []
  const server = { records: new Map(Object.entries(records)), asked, isSilent: false }
  socket.on('message', (query, { port, address }) => {
    if (server.isSilent) return
    const { name, end } = readName(query)
    asked.push(name)
    socket.send(answer(query, end, server.records.get(name)), port, address)
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  const resolver = new Resolver({ timeout: 200, tries: 1 })
  resolver.setServers([`127.0.0.1:${socket.address().port}`])
  return Object.assign(server, {
    resolveTxt: async (domain: string) => await resolver.resolveTxt(domain),
    [Symbol.asyncDispose]: async () => {
      await new Promise<void>((resolve) => socket.close(resolve))
    }
  })
}

/** The name of the first question of a message, and where the question ends. */
function readName(message: Buffer): { name: string; end: number } {
  const labels: string[] = []
  let at = HEADER_BYTES
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), end: at + 5 }
}

/** RFC 1035, section 4: the same header and question, then a record for each text; no such name without any. */
function answer(query: Buffer, end: number, texts: readonly string[] | undefined): Buffer {
  const header = Buffer.from(query.subarray(0, HEADER_BYTES))
  header.writeUInt16BE(texts === undefined ? 0x8183 : 0x8180, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(texts?.length ?? 0, 6)
  header.writeUInt32BE(0, 8)
  return Buffer.concat([header, query.subarray(HEADER_BYTES, end), ...(texts ?? []).map(txtRecord)])
}

function txtRecord(text: string): Buffer {
  const pieces = (text.match(/.{1,255}/gs) ?? ['']).map((piece) =>
    Buffer.concat([Uint8Array.of(piece.length), Buffer.from(piece, 'latin1')])
  )
  const data = Buffer.concat(pieces)
  const head = Buffer.alloc(HEADER_BYTES)
  // the name: that of the question
  head.writeUInt16BE(0xc000 | HEADER_BYTES, 0)
  head.writeUInt16BE(TYPE_TXT, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(60, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}
