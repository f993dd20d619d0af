import assert from 'node:assert/strict'
import { silentLogger } from '#contracts'
import { PROVIDER_IDLE_MS, PROVIDER_STOP_MS } from '../../../../capsule-host/broker/constants.ts'
import { startProviderDirectory, type RunningDirectory } from '../../../../capsule-host/broker/directory.ts'
import type { Provider } from '../../../../capsule-host/broker/provider.ts'
import type {
  ProviderChoices,
  ProviderSource,
  ProviderWish,
  ResolvedProvider,
  StartedProvider
} from '../../../../capsule-host/broker/provider-source.ts'
import { createVirtualClock, type VirtualClock } from '../../../support/virtual-clock.ts'

const NOTES = { lineage: 'did:key:zA/notes', requires: [{ contract: 'localhost@1' }] }
const never = new AbortController().signal

/** Capsules that could serve something, and what was done with them. */
class Shelf implements ProviderSource {
  readonly capsules = new Map<string, ResolvedProvider>()
  readonly log: string[] = []
  /** Lineages of what was started, in order. */
  readonly lineages: string[] = []
  readonly wishes: ProviderWish[] = []
  readonly ends = new Map<string, PromiseWithResolvers<void>>()
  startFails = false
  native: (contract: string) => Provider | undefined = () => undefined

  put(cid: string, init: Partial<ResolvedProvider> = {}): void {
    this.capsules.set(cid, {
      ...{ cid, lineage: `did:key:zP/${cid}`, requires: [], provides: ['localhost@1'] },
      ...init
    })
  }

  async resolve(wish: ProviderWish): Promise<ResolvedProvider | undefined> {
    this.wishes.push(wish)
    const wanted = wish.pinned ?? wish.capsule
    return this.capsules
      .values()
      .find(({ cid, lineage, provides }) =>
        wanted === undefined ? provides.includes(wish.contract) : cid === wanted || lineage === wanted
      )
  }

  async start({ cid, lineage }: ResolvedProvider): Promise<StartedProvider> {
    this.log.push(`start ${cid}`)
    this.lineages.push(lineage)
    if (this.startFails) throw new Error('no sandbox')
    const end = Promise.withResolvers<void>()
    this.ends.set(cid, end)
    return {
      provider: {
        call: async ({ command }) => `${cid} ${command}`,
        open: async function* () {
          yield cid
          await end.promise
        }
      },
      ended: end.promise,
      stop: () => {
        this.log.push(`stop ${cid}`)
        end.resolve()
      },
      [Symbol.asyncDispose]: async () => {
        this.log.push(`end ${cid}`)
        end.resolve()
      }
    }
  }
}

class Choices implements ProviderChoices {
  readonly chosenOnes = new Map<string, string>()
  readonly pins = new Map<string, string>()
  isDiskFull = false

  chosen(contract: string): string | undefined {
    return this.chosenOnes.get(contract)
  }

  pinned(lineage: string, contract: string): string | undefined {
    return this.pins.get(`${lineage} ${contract}`)
  }

  async pin(lineage: string, contract: string, cid: string): Promise<void> {
    if (this.isDiskFull) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
    this.pins.set(`${lineage} ${contract}`, cid)
  }
}

describe('the provider directory', () => {
  let clock: VirtualClock
  let shelf: Shelf
  let directory: RunningDirectory
  let choices: Choices

  beforeEach(() => {
    clock = createVirtualClock()
    shelf = new Shelf()
    choices = new Choices()
    directory = startProviderDirectory({ source: shelf, choices, clock, logger: silentLogger })
  })
  afterEach(async () => {
    await directory[Symbol.asyncDispose]()
    assert.equal(clock.pendingCount(), 0)
  })

  const request = (): Parameters<Provider['call']>[0] =>
    ({ command: 'localhost/read', signal: never }) as Parameters<Provider['call']>[0]

  it('starts a provider when it is called, once for everybody', async () => {
    shelf.put('files')
    const found = await Promise.all([
      directory.find('localhost@1', NOTES, never),
      directory.find('localhost@1', { ...NOTES, lineage: 'did:key:zB/other' }, never)
    ])
    assert.deepEqual(shelf.log, ['start files'])
    assert.equal(found[0].cid, 'files')
    assert.equal(await found[1].provider.call(request()), 'files localhost/read')
  })

  it('never serves one lineage by what runs for another, though it is the same capsule', async () => {
    shelf.put('files', { lineage: 'shipped/files' })
    choices.chosenOnes.set('localhost@1', 'files')
    await directory.find('localhost@1', NOTES, never)
    // What runs goes on: somebody uses it, and this device calls these bytes something else now.
    shelf.put('files', { lineage: 'did:key:zRelease/files' })
    const other = { ...NOTES, lineage: 'did:key:zB/other' }
    const { provider } = await directory.find('localhost@1', other, never)
    assert.equal(await provider.call(request()), 'files localhost/read')
    assert.deepEqual(shelf.lineages, ['shipped/files', 'did:key:zRelease/files'])
    directory.unload('shipped/files')
    await clock.settle()
    assert.deepEqual(
      directory.loaded().map(({ lineage }) => lineage),
      ['did:key:zRelease/files']
    )
  })

  it('does not resolve for every call, and does again after a while or an update', async () => {
    shelf.put('files')
    for (let turn = 0; turn < 5; turn++) await directory.find('localhost@1', NOTES, never)
    assert.equal(shelf.wishes.length, 1)
    directory.unload('did:key:zP/files')
    await directory.find('localhost@1', NOTES, never)
    assert.equal(shelf.wishes.length, 2)
    await clock.advance(60_000)
    await directory.find('localhost@1', NOTES, never)
    assert.equal(shelf.wishes.length, 3)
  })

  it('ends it when it was idle for a while, not while a stream is open, and starts it anew', async () => {
    shelf.put('files')
    const { provider } = await directory.find('localhost@1', NOTES, never)
    const items = provider.open(request(), (async function* () {})())[Symbol.asyncIterator]()
    await items.next()
    await clock.advance(300_000)
    assert.deepEqual(shelf.log, ['start files'])
    const ending = items.return?.()
    shelf.ends.get('files')
    await ending
    await clock.advance(60_000)
    assert.deepEqual(shelf.log, ['start files', 'stop files', 'end files'])
    await directory.find('localhost@1', NOTES, never)
    assert.equal(shelf.log.at(-1), 'start files')
  })

  it('pins what a requirement led to, also after a restart', async () => {
    shelf.put('files-1')
    await directory.find('localhost@1', NOTES, never)
    shelf.capsules.delete('files-1')
    shelf.put('files-2')
    shelf.put('files-1')
    const again = startProviderDirectory({
      ...{ source: shelf, choices, clock, logger: silentLogger }
    })
    assert.equal((await again.find('localhost@1', NOTES, never)).cid, 'files-1')
    assert.equal(
      (await again.find('localhost@1', { ...NOTES, lineage: 'did:key:zC/new' }, never)).cid,
      'files-2'
    )
    await again[Symbol.asyncDispose]()
  })

  it('looks again for one that was ended from outside: it may have been updated', async () => {
    shelf.put('files-1')
    assert.equal((await directory.find('localhost@1', NOTES, never)).cid, 'files-1')
    shelf.capsules.clear()
    shelf.put('files-2')
    shelf.ends.get('files-1')?.resolve()
    await clock.settle()
    choices.pins.clear()
    assert.equal((await directory.find('localhost@1', NOTES, never)).cid, 'files-2')
  })

  it('serves what it could not pin because the disk is full', async () => {
    shelf.put('files')
    choices.isDiskFull = true
    assert.equal((await directory.find('localhost@1', NOTES, never)).cid, 'files')
  })

  it('hears a new version at once, also one that came while the old one was looked for', async () => {
    const lineage = 'did:key:zP/files'
    choices.chosenOnes.set('localhost@1', lineage)
    shelf.put('files-1', { lineage })
    assert.equal((await directory.find('localhost@1', NOTES, never)).cid, 'files-1')
    shelf.capsules.clear()
    shelf.put('files-2', { lineage })
    directory.unload(lineage)
    const late = directory.find('localhost@1', NOTES, never)
    shelf.capsules.clear()
    shelf.put('files-3', { lineage })
    directory.unload(lineage)
    assert.equal((await late).cid, 'files-2')
    assert.equal((await directory.find('localhost@1', NOTES, never)).cid, 'files-3')
  })

  it('takes the capsule that the manifest names, by lineage or CID', async () => {
    shelf.put('files')
    shelf.put('vault')
    for (const capsule of ['did:key:zP/vault', 'vault']) {
      const seeker = {
        lineage: `did:key:zA/${capsule.length}`,
        requires: [{ contract: 'localhost@1', capsule }]
      }
      assert.equal((await directory.find('localhost@1', seeker, never)).cid, 'vault')
    }
  })

  it('takes the capsule the user chose instead, whatever was pinned or named', async () => {
    shelf.put('files')
    shelf.put('cloud')
    shelf.put('broken', { provides: [] })
    await directory.find('localhost@1', NOTES, never)
    choices.chosenOnes.set('localhost@1', 'cloud')
    assert.equal((await directory.find('localhost@1', NOTES, never)).cid, 'cloud')
    choices.chosenOnes.clear()
    assert.equal((await directory.find('localhost@1', NOTES, never)).cid, 'files')
    choices.chosenOnes.set('localhost@1', 'broken')
    await assert.rejects(directory.find('localhost@1', NOTES, never), { code: 'ERR_PROVIDER_NONE' })
  })

  it('finds circles, of one and of several, before it starts any of it', async () => {
    shelf.put('files', { requires: [{ contract: 'did@1' }] })
    shelf.put('keys', { provides: ['did@1'], requires: [{ contract: 'localhost@1' }] })
    await assert.rejects(directory.find('localhost@1', NOTES, never), { code: 'ERR_PROVIDER_CYCLE' })
    shelf.put('files', { requires: [{ contract: 'localhost@1' }] })
    await assert.rejects(directory.find('localhost@1', NOTES, never), { code: 'ERR_PROVIDER_CYCLE' })
    assert.deepEqual(shelf.log, [])
    const itself = { lineage: 'did:key:zP/files', requires: [{ contract: 'localhost@1' }] }
    shelf.put('files')
    await assert.rejects(directory.find('localhost@1', itself, never), { code: 'ERR_PROVIDER_CYCLE' })
  })

  it('leaves one alone for a while that keeps ending', async () => {
    shelf.put('files')
    for (let turn = 0; turn < 3; turn++) {
      await directory.find('localhost@1', NOTES, never)
      shelf.ends.get('files')?.resolve()
      await clock.settle()
      assert.deepEqual(directory.loaded(), [])
    }
    await assert.rejects(directory.find('localhost@1', NOTES, never), { code: 'ERR_PROVIDER_GONE' })
    await clock.advance(30_000)
    await directory.find('localhost@1', NOTES, never)
  })

  it('says that it is gone when it cannot be started, to all who wait', async () => {
    shelf.put('files')
    shelf.startFails = true
    const finding = [0, 1].map(async () => await directory.find('localhost@1', NOTES, never))
    for (const one of finding) await assert.rejects(one, { code: 'ERR_PROVIDER_GONE' })
    assert.deepEqual(directory.loaded(), [])
  })

  it('does what no capsule does itself, where it can', async () => {
    await assert.rejects(directory.find('localhost@1', NOTES, never), { code: 'ERR_PROVIDER_NONE' })
    const native: Provider = { call: async () => 'native', open: async function* () {} }
    shelf.native = (contract) => (contract === 'localhost@1' ? native : undefined)
    const { provider, cid } = await directory.find('localhost@1', NOTES, never)
    assert.equal(await provider.call(request()), 'native')
    assert.equal(cid, undefined)
  })

  it('runs one of them at a time, also when one is unloaded that still waits for the one before', async () => {
    let running = 0
    let most = 0
    shelf.start = async () => {
      most = Math.max(most, ++running)
      return await Promise.resolve({
        provider: { call: async () => await Promise.resolve('done'), open: async function* () {} },
        // It ends when it must, and no sooner.
        ...{ ended: new Promise<void>(() => undefined), stop: () => undefined },
        [Symbol.asyncDispose]: async () => {
          running -= 1
          await Promise.resolve()
        }
      })
    }
    shelf.put('files')
    const find = async (): Promise<unknown> => await directory.find('localhost@1', NOTES, never)
    const unload = (): void => directory.unload('did:key:zP/files')
    await find()
    unload()
    const second = find()
    await clock.settle()
    unload()
    await clock.advance(PROVIDER_STOP_MS)
    const third = find()
    await clock.settle()
    assert.deepEqual([running, most], [1, 1])
    await clock.advance(PROVIDER_STOP_MS)
    await Promise.all([second, third])
    assert.deepEqual([running, most], [1, 1])
    unload()
    await clock.advance(PROVIDER_IDLE_MS)
    assert.equal(running, 0)
  })

  it('unloads an updated one when its last call is done', async () => {
    shelf.put('files')
    const { provider } = await directory.find('localhost@1', NOTES, never)
    const items = provider.open(request(), (async function* () {})())[Symbol.asyncIterator]()
    await items.next()
    directory.unload('did:key:zP/files')
    assert.deepEqual(shelf.log, ['start files'])
    await items.return?.()
    await clock.settle()
    assert.deepEqual(shelf.log, ['start files', 'stop files', 'end files'])
  })
})
