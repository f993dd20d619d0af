import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  findFirstPeers,
  openKnownSeeds,
  planBootstrap,
  sealBootstrapRecord,
  type FirstPeersComponents,
  type HttpGetInit,
  type HttpGot,
  type KnownSeeds
} from '#bootstrap'
import { silentLogger, systemRandom } from '#contracts'
import { keyPairFromSeed, peerIdFromDid, systemPrivateFiles, type KeyPair } from '#did'
import { createTemporaryFolder, type TemporaryFolder } from '../../support/temporary-folder.ts'
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts'

const NETWORK = '/elastos/kad/1.0.0'
const URL_A = 'http://a.example:4480'
const seedA = keyPairFromSeed(new Uint8Array(32).fill(1))
const seedB = keyPairFromSeed(new Uint8Array(32).fill(2))

function addressOf(seed: KeyPair): string {
  return `/ip4/192.0.2.1/tcp/4001/p2p/${peerIdFromDid(seed.did)}`
}

describe('finding first peers', () => {
  let temporary: TemporaryFolder
  let path: string
  let clock: VirtualClock
  let knownSeeds: KnownSeeds
  let answers: Map<string, (init: HttpGetInit) => Promise<HttpGot>>
  let components: FirstPeersComponents

  beforeEach(async () => {
    temporary = await createTemporaryFolder()
    path = join(temporary.path, 'known-seeds.json')
    clock = createVirtualClock()
    knownSeeds = await open()
    answers = new Map()
    const getHttp = async (init: HttpGetInit): Promise<HttpGot> => {
      const answer = answers.get(init.url)
      if (answer === undefined) throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
      return await answer(init)
    }
    components = { powers: { getHttp }, clock, knownSeeds, logger: silentLogger }
  })

  afterEach(async () => {
    assert.equal(clock.pendingCount(), 0, 'no timer is left')
    await temporary[Symbol.asyncDispose]()
  })

  async function open(): Promise<KnownSeeds> {
    return await openKnownSeeds({ files: systemPrivateFiles, random: systemRandom }, path)
  }

  /** What answers at `url` is the seed `signer`. */
  function serve(url: string, signer: KeyPair): void {
    answers.set(`${url}/bootstrap`, () => {
      const claim = {
        addresses: [addressOf(signer)],
        network: NETWORK,
        issuedAtMs: clock.nowMs(),
        validForMs: 60_000
      }
      return Promise.resolve({ status: 200, bytes: sealBootstrapRecord(signer, claim) })
    })
  }

  it('believes a pinned seed without asking, and remembers it', async () => {
    serve(URL_A, seedA)
    const found = await findFirstPeers(components, planBootstrap([`${URL_A}#${seedA.did}`]), {
      network: NETWORK
    })
    assert.deepEqual(found, { peers: [addressOf(seedA)], failures: [] })
    assert.equal((await open()).didOf(URL_A), seedA.did)
    assert.equal((await stat(path)).mode & 0o777, 0o600)
  })

  it('refuses a pinned seed that another signs for', async () => {
    serve(URL_A, seedB)
    const found = await findFirstPeers(components, planBootstrap([`${URL_A}#${seedA.did}`]), {
      network: NETWORK
    })
    assert.deepEqual(found.peers, [])
    assert.equal(found.failures[0]?.code, 'ERR_SEED_SIGNER')
    assert.deepEqual(knownSeeds.list(), [])
  })

  it('shows the did of an unknown seed, asks once, and remembers the answer', async () => {
    serve(URL_A, seedA)
    const asked: unknown[] = []
    const confirm = (seed: unknown): Promise<boolean> => {
      asked.push(seed)
      return Promise.resolve(true)
    }
    const init = { network: NETWORK, confirm }
    assert.deepEqual((await findFirstPeers(components, planBootstrap([URL_A]), init)).peers, [
      addressOf(seedA)
    ])
    components = { ...components, knownSeeds: await open() }
    assert.deepEqual((await findFirstPeers(components, planBootstrap([URL_A]), init)).peers, [
      addressOf(seedA)
    ])
    assert.deepEqual(asked, [{ url: URL_A, did: seedA.did }])
  })

  it('does not use an unknown seed that nobody confirms, and says how to pin it', async () => {
    serve(URL_A, seedA)
    for (const confirm of [undefined, () => Promise.resolve(false)]) {
      const init = { network: NETWORK, ...(confirm === undefined ? {} : { confirm }) }
      const found = await findFirstPeers(components, planBootstrap([URL_A]), init)
      assert.deepEqual(found.peers, [])
      assert.equal(found.failures[0]?.code, 'ERR_SEED_UNCONFIRMED')
      assert.ok(found.failures[0].message.includes(`'${URL_A}#${seedA.did}'`))
    }
    assert.equal(knownSeeds.didOf(URL_A), undefined)
  })

  it('refuses a seed whose signer changed without asking anybody', async () => {
    await knownSeeds.remember(URL_A, seedA.did)
    serve(URL_A, seedB)
    const confirm = (): Promise<boolean> => assert.fail('nobody is asked')
    const found = await findFirstPeers(components, planBootstrap([URL_A]), { network: NETWORK, confirm })
    assert.deepEqual(found.peers, [])
    assert.equal(found.failures[0]?.code, 'ERR_SEED_SIGNER_CHANGED')
    assert.equal((await open()).didOf(URL_A), seedA.did)
    // Only the person can say that it is right: by pinning the new did.
    const pinned = await findFirstPeers(components, planBootstrap([`${URL_A}#${seedB.did}`]), {
      network: NETWORK
    })
    assert.deepEqual(pinned.peers, [addressOf(seedB)])
    assert.equal((await open()).didOf(URL_A), seedB.did)
  })

  it('uses the seeds that answer when others fail in their own ways', async () => {
    serve(URL_A, seedA)
    const failing: Record<string, [string, () => Promise<HttpGot>]> = {
      'http://page.example': [
        'ERR_RECORD_INVALID',
        () => Promise.resolve({ status: 200, bytes: Buffer.from('<html>') })
      ],
      'http://moved.example': [
        'ERR_SEED_ANSWER',
        () => Promise.resolve({ status: 301, bytes: new Uint8Array() })
      ],
      'http://large.example': ['ERR_SEED_ANSWER', () => Promise.reject(coded('ANSWER_TOO_LARGE'))],
      'http://ssh.example': ['ERR_SEED_ANSWER', () => Promise.reject(coded('HPE_INVALID_CONSTANT'))],
      'http://nowhere.example': ['ERR_SEED_UNREACHABLE', () => Promise.reject(coded('ENOTFOUND'))]
    }
    for (const [url, [, answer]] of Object.entries(failing)) answers.set(`${url}/bootstrap`, answer)
    const values = [...Object.keys(failing), `${URL_A}#${seedA.did}`, addressOf(seedB)]
    const found = await findFirstPeers(components, planBootstrap(values), { network: NETWORK })
    assert.deepEqual(found.peers, [addressOf(seedB), addressOf(seedA)])
    assert.deepEqual(
      found.failures.map(({ url, code }) => [url, code]),
      Object.entries(failing).map(([url, [code]]) => [url, code])
    )
  })

  it('gives up on a seed that does not answer in time', async () => {
    answers.set(`${URL_A}/bootstrap`, async ({ signal }) => {
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(coded('ABORT_ERR'))
        })
      })
      return { status: 200, bytes: new Uint8Array() }
    })
    const finding = findFirstPeers(components, planBootstrap([URL_A]), { network: NETWORK })
    await clock.advance(5000)
    const { failures } = await finding
    assert.equal(failures[0]?.code, 'ERR_SEED_UNREACHABLE')
    assert.match(failures[0].message, /no answer in time/)
  })

  it('ends at once with the reason of its signal', async () => {
    const controller = new AbortController()
    answers.set(`${URL_A}/bootstrap`, ({ signal }) => {
      controller.abort(new Error('stopped by the user'))
      assert.ok(signal.aborted)
      return Promise.reject(coded('ABORT_ERR'))
    })
    const init = { network: NETWORK, signal: controller.signal }
    await assert.rejects(findFirstPeers(components, planBootstrap([URL_A]), init), {
      message: 'stopped by the user'
    })
    await assert.rejects(findFirstPeers(components, planBootstrap([URL_A]), init), {
      message: 'stopped by the user'
    })
  })

  it('fails rather than take a known seed for a new one', async () => {
    await knownSeeds.remember(URL_A, seedA.did)
    const whole = await readFile(path, 'utf8')
    for (const content of ['', '{"version":1}', whole.replace('z6Mk', 'z6Mx'), whole.replace('1', '2')]) {
      await writeFile(path, content)
      await assert.rejects(open(), { code: 'ERR_KNOWN_SEEDS_CORRUPT' }, content)
    }
  })

  it('remembers so many seeds and no more', async () => {
    const seeds = Object.fromEntries(
      Array.from({ length: 1000 }, (_, i) => [`http://s${i}.example`, seedA.did])
    )
    await writeFile(path, JSON.stringify({ version: 1, seeds }), { mode: 0o600 })
    const full = await open()
    await assert.rejects(full.remember(URL_A, seedA.did), { code: 'ERR_KNOWN_SEEDS_FULL' })
    await full.remember('http://s1.example', seedB.did)
    assert.equal((await open()).didOf('http://s1.example'), seedB.did)
  })

  it('forgets a seed when asked', async () => {
    await knownSeeds.remember(URL_A, seedA.did)
    assert.equal(await knownSeeds.forget(URL_A), true)
    assert.equal(await knownSeeds.forget(URL_A), false)
    assert.deepEqual((await open()).list(), [])
  })
})

function coded(code: string): Error {
  return Object.assign(new Error(code), { code })
}
