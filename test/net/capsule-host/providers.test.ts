import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { systemClock } from '#contracts'
import { createKeyPair } from '#did'
import { createContentPower } from '../../../node/host-powers/content.ts'
import { createDiskPower } from '../../../node/host-powers/disk.ts'
import { createHttpPower } from '../../../node/host-powers/http.ts'
import { systemWeb, type Web } from '../../../node/host-powers/powers.ts'
import { createSignPower } from '../../../node/host-powers/sign.ts'
import { CONTENT_CEILING, contentContract } from '../../contract/content.ts'
import { DID_CEILING, didContract } from '../../contract/did.ts'
import { HTTP_CEILING, httpContract } from '../../contract/http.ts'
import { SITE, SITE_ORIGIN } from '../../contract/http-site.ts'
import { LOCALHOST_CEILING, localhostContract } from '../../contract/localhost.ts'
import {
  firstPartyModule,
  openProviderLab,
  tinyModule,
  type ProviderLab
} from '../../support/provider-lab.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { MemoryDisk } from '../../support/vault-disk.ts'
import { testVault } from '../../support/vaults.ts'
import { startFixture } from '../../unit/content/fixture.ts'

/** The lab, which lets go of what it stands on when it is let go of. */
function over(lab: ProviderLab, stack: AsyncDisposableStack): ProviderLab {
  return {
    ...lab,
    [Symbol.asyncDispose]: async () => {
      await lab[Symbol.asyncDispose]()
      await stack.disposeAsync()
    }
  }
}

const localhost = { contract: 'localhost@1', ceiling: LOCALHOST_CEILING }
localhostContract('the capsule of this project over a vault', async () => {
  const stack = new AsyncDisposableStack()
  const vault = stack.use(testVault(new MemoryDisk(), { clock: systemClock }))
  const disk = createDiskPower({
    lineageOf: async () => undefined,
    openRoot: async (lineage) => await vault.root(lineage, { quotaBytes: 1024 * 1024 })
  })
  const module = await firstPartyModule('localhost-provider')
  return over(await openProviderLab({ ...localhost, module, powers: new Map([['disk', disk]]) }), stack)
})
localhostContract('another capsule that keeps files in its memory', async () => {
  return await openProviderLab({ ...localhost, module: await tinyModule('localhost') })
})

const did = { contract: 'did@1', ceiling: DID_CEILING }
didContract('the capsule of this project over the keys of a device', async () => {
  const random = createSeededRandom(3)
  const [device, person] = [createKeyPair(random), createKeyPair(random)]
  const keystore = { device, personDid: person.did, publisher: () => person, refresh: async () => undefined }
  const powers = new Map([['sign', createSignPower({ keystore })]])
  return await openProviderLab({ ...did, module: await firstPartyModule('did-provider'), powers, device })
})
didContract('another capsule that remembers what it signed', async () => {
  return await openProviderLab({ ...did, module: await tinyModule('did') })
})

const content = { contract: 'content@1', ceiling: CONTENT_CEILING }
contentContract('the capsule of this project over the content of a node', async () => {
  const stack = new AsyncDisposableStack()
  const { content: node } = stack.use(await startFixture())
  const powers = new Map([['content', createContentPower({ content: node, clock: systemClock })]])
  return over(
    await openProviderLab({ ...content, module: await firstPartyModule('content-provider'), powers }),
    stack
  )
})
contentContract('another capsule that keeps blocks in its memory', async () => {
  return await openProviderLab({ ...content, module: await tinyModule('content') })
})

/** A public address that stands for the site; connections to it come to a server on loopback. */
const SITE_ADDRESS = '93.184.215.14'

async function startSite(): Promise<{ server: Server; web: Web }> {
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      if (request.url === '/echo') {
        response.end(`${request.method ?? ''} ${Buffer.concat(pieces).toString()}`)
        return
      }
      const page = SITE[request.url ?? ''] ?? { status: 500, headers: {}, body: 'never asked' }
      response.writeHead(page.status, page.headers).end(page.body)
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  const web: Web = {
    resolve: async (name) => (name === new URL(SITE_ORIGIN).hostname ? [SITE_ADDRESS] : []),
    request: async (init) => {
      if (init.address !== SITE_ADDRESS) throw new Error(`expected no request to ${init.address}`)
      const url = new URL(init.url)
      url.port = String(port)
      return await systemWeb.request({ ...init, url, address: '127.0.0.1' })
    }
  }
  return { server, web }
}

const http = { contract: 'http@1', ceiling: HTTP_CEILING }
httpContract('the capsule of this project over the web', async () => {
  const stack = new AsyncDisposableStack()
  const { server, web } = await startSite()
  stack.defer(async () => {
    await new Promise((closed) => server.close(closed))
  })
  const powers = new Map([['http', createHttpPower({ web, clock: systemClock })]])
  return over(
    await openProviderLab({ ...http, module: await firstPartyModule('http-provider'), powers }),
    stack
  )
})
httpContract('another capsule that knows one site by heart', async () => {
  return await openProviderLab({ ...http, module: await tinyModule('http') })
})
