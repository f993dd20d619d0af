import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, createWriteStream, existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { systemRandom } from '#contracts'
import { createIdentity } from '../dht/bulk/powers.ts'
import { KUBO_VERSION, startKubo } from '../test/net/kubo.ts'
import { flush, Stopwatch, type Side } from './fetch-side.ts'

const READ_BYTES = 256 * 1024
const KUBO_TIMEOUT_MS = 20 * 60_000

/** TLS 1.3 with certificates that nobody checks; a folder goes through it as a `tar` archive. */
function overTls(how: 'file' | 'tar'): Side {
  const isTar = how === 'tar'
  return {
    serve: async ({ source }) => {
      const read = (): NodeJS.ReadableStream =>
        isTar
          ? spawn('tar', ['-c', '-C', source, '.'], { stdio: ['ignore', 'pipe', 'inherit'] }).stdout
          : createReadStream(source, { highWaterMark: READ_BYTES })
      const { key, cert } = createIdentity({ random: systemRandom, nowMs: Date.now() })
      const server = createServer({ key, cert, minVersion: 'TLSv1.3' }, (socket: TLSSocket) => {
        socket.once('data', () => {
          pipeline(read(), socket).catch(() => undefined)
        })
      })
      await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
      return { port: (server.address() as AddressInfo).port }
    },
    connect: async ({ folder }, { port }) => {
      const socket = connect({ host: '127.0.0.1', port: Number(port), rejectUnauthorized: false })
      await once(socket, 'secureConnect')
      return async (output) => {
        const watch = new Stopwatch()
        socket.once('readable', () => watch.first())
        socket.write('go')
        if (isTar) {
          await mkdir(output)
          const tar = spawn('tar', ['-x', '-C', output], { stdio: ['pipe', 'inherit', 'inherit'] })
          await Promise.all([pipeline(socket, tar.stdin), once(tar, 'close')])
        } else await pipeline(socket, createWriteStream(output))
        await flush(folder)
        return watch.stop()
      }
    }
  }
}

/** A file through a bare TLS 1.3 socket. */
export const tls: Side = overTls('file')

/** A folder as a `tar` archive through one. */
export const tar: Side = overTls('tar')

/** A file from Node's HTTP server, without encryption. */
export const curl: Side = {
  serve: async ({ source }) => {
    const server = createHttpServer((_request, response) => {
      pipeline(createReadStream(source, { highWaterMark: READ_BYTES }), response).catch(() => undefined)
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    return { port: (server.address() as AddressInfo).port }
  },
  connect: async ({ folder }, { port }) =>
    await Promise.resolve(async (output: string) => {
      const watch = new Stopwatch()
      const [code] = (await once(
        spawn('curl', ['-s', '-o', output, `http://127.0.0.1:${port}/`]),
        'close'
      )) as [number]
      if (code !== 0) throw new Error(`curl ended with ${code}`)
      await flush(folder)
      return watch.stop()
    })
}

/** The `ipfs` program that the interoperability tests have built, or the one that is named. */
export function kuboProgram(): string {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  return process.env['ELASTOS_KUBO'] ?? join(cache, 'elastos-test', `kubo-${KUBO_VERSION}`, 'ipfs')
}

/** Whether {@link kuboProgram} is there. */
export const isKuboThere = (): boolean => existsSync(kuboProgram())

/** The daemons of this process. */
const daemons = new AsyncDisposableStack()

/** Two Kubo daemons; what is fetched is pinned, which is how Kubo fetches all of a DAG. */
export const kubo: Side = {
  serve: async ({ source }) => {
    const node = daemons.use(await startKubo(kuboProgram()))
    const add = ['add', '-Q', '--cid-version=1', '--raw-leaves', '--chunker=size-1048576', source]
    return { root: await node.run(add, { timeoutMs: KUBO_TIMEOUT_MS }), address: node.addresses[0] }
  },
  connect: async (_init, { root, address }) => {
    const node = daemons.use(await startKubo(kuboProgram()))
    await node.run(['swarm', 'connect', String(address)])
    return async () => {
      const watch = new Stopwatch()
      await node.run(['pin', 'add', '--progress=false', String(root)], { timeoutMs: KUBO_TIMEOUT_MS })
      await flush(node.folder)
      return watch.stop()
    }
  },
  end: async () => await daemons.disposeAsync()
}
