/** Guests of microVMs between real nodes: published, found, fetched, verified, kept. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startNode, type ElastosNode, type NodeInit } from '#node'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

const FREE: Pick<NodeInit, 'listen' | 'mdns' | 'privateRooms'> = {
  listen: ['/ip4/127.0.0.1/tcp/0'],
  mdns: false,
  privateRooms: false
}
const { signal } = new AbortController()
const ARCH = process.arch === 'arm64' ? 'aarch64' : 'x86_64'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Writes what would be a guest, were its kernel one. */
async function writeGuest(folder: string, kernel: string, change: object = {}): Promise<void> {
  await mkdir(folder, { recursive: true })
  const initrd = 'an initial file system'
  const description = {
    ...{ version: 1, arch: ARCH },
    package: { name: 'linux-image-6.1.0-1-cloud', version: '6.1.190-1', sha256: sha256('package') },
    init: { sourcesSha256: sha256('sources'), compiler: 'a compiler' },
    ...{ kernelSha256: sha256(kernel), initrdSha256: sha256(initrd) },
    ...change
  }
  await writeFile(join(folder, 'kernel'), kernel)
  await writeFile(join(folder, 'initrd'), initrd)
  await writeFile(join(folder, 'guest.json'), JSON.stringify(description))
}

/** As a machine does that starts from it. */
async function provide({ guests }: Pick<ElastosNode, 'guests'>): Promise<void> {
  using _held = await guests.hold(signal)
}

describe('a guest of microVMs', function () {
  this.timeout(120_000)

  it('is published, fetched by did or CID, verified, kept over a restart, and fetched again when it was changed', async () => {
    await using folder = await createTemporaryFolder()
    const path = (...names: string[]): string => join(folder.path, ...names)
    const start = async (name: string, init: Partial<NodeInit> = {}): Promise<ElastosNode> =>
      await startNode({ ...FREE, dataFolder: path(name), ...init })
    const kernel = 'k'.repeat(300_000)
    await writeGuest(path('first'), kernel)
    await writeGuest(path('second'), 'a later kernel')
    await using ann = await start('ann')
    const bootstrap = [ann.host.addresses()[0] ?? '']
    const kept = async (name = 'kernel'): Promise<string> =>
      await readFile(path('ben', 'guest', name), 'utf8')
    {
      await using ben = await start('ben', { bootstrap })
      const first = await ann.guests.publish(path('first'), { isFirst: true, signal })
      assert.equal(first.publisher, ann.personDid)
      const used = await ben.guests.use(ann.personDid, { signal })
      assert.deepEqual([used.cid, used.root, used.version], [first.cid, first.root, first.version])
      assert.match(used.version, /^6\.1\.190\+init\.[0-9a-f]{12}$/)
      assert.equal(await kept(), kernel)
      const second = await ann.guests.publish(path('second'), { isFirst: false, signal })
      assert.equal(second.sequence, 2)
      assert.equal((await ben.guests.use(second.cid ?? '', { signal })).root, second.root)
      assert.equal(await kept(), 'a later kernel')
      await ben.guests.use(first.cid ?? '', { signal })
    }
    await writeFile(path('ben', 'guest', 'kernel'), 'another kernel')
    {
      // What was chosen is remembered; what lies there is not believed.
      await using ben = await start('ben', { bootstrap })
      await provide(ben)
      assert.equal(await kept(), kernel)
    }
    await rm(path('ben', 'guest'), { recursive: true })
    await using ben = await start('ben', { bootstrap, guest: ann.personDid })
    await Promise.all([provide(ben), provide(ben)])
    assert.equal(await kept(), 'a later kernel', 'the choice of a start counts')
    await ben.guests.use(path('first'), { signal })
    await provide(ben)
    assert.equal(await kept(), kernel, "the owner's own stays")
  })

  it('is refused when it is none, not whole, or for another processor', async () => {
    await using folder = await createTemporaryFolder()
    const path = (...names: string[]): string => join(folder.path, ...names)
    await using ann = await startNode({ ...FREE, dataFolder: path('ann') })
    const bootstrap = [ann.host.addresses()[0] ?? '']
    await using ben = await startNode({ ...FREE, dataFolder: path('ben'), bootstrap })
    await writeGuest(path('good'), 'a kernel')
    await writeGuest(path('changed'), 'a kernel', { kernelSha256: sha256('another') })
    await writeGuest(path('foreign'), 'a kernel', { arch: ARCH === 'x86_64' ? 'aarch64' : 'x86_64' })
    await writeGuest(path('unknown'), 'a kernel', { more: true })
    await mkdir(path('empty'))
    for (const name of ['changed', 'unknown', 'empty']) {
      const publish = ann.guests.publish(path(name), { isFirst: true, signal })
      await assert.rejects(publish, { code: 'ERR_VM_GUEST_INVALID' }, name)
      await assert.rejects(ben.guests.use(path(name), { signal }), { code: 'ERR_VM_GUEST_INVALID' }, name)
    }
    await assert.rejects(ben.guests.use(path('foreign'), { signal }), { code: 'ERR_VM_GUEST_INVALID' })
    const foreign = await ann.guests.publish(path('foreign'), { isFirst: true, signal })
    await assert.rejects(ben.guests.use(foreign.cid ?? '', { signal }), { code: 'ERR_CAPSULE_NAME_MISMATCH' })
    await assert.rejects(ben.guests.use(foreign.root, { signal }), { code: 'ERR_CAPSULE_UNSIGNED' })
    await assert.rejects(ben.guests.use(ann.personDid, { signal }), { code: 'ERR_INDEX_ENTRY_NOT_FOUND' })
    await assert.rejects(ben.guests.use('nobody', { signal }), { code: 'ERR_CONTACT_UNKNOWN' })
    await assert.rejects(readFile(path('ben', 'guest', 'kernel')), { code: 'ENOENT' })
  })
})
