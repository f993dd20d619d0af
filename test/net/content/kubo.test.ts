import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import { startContent, type Content, type ContentRouting } from '#content'
import { MemoryDatastore } from 'datastore-core'
import { createLibp2p } from 'libp2p'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { kuboOrSkip, startKubo, type Kubo } from '../kubo.ts'
import { patternBytes, testLibp2pInit } from './exchange-nodes.ts'

const FILE_BYTES = 64 * 1024 * 1024
const FILE_COUNT = 200
const COMMAND_TIMEOUT_MS = 60_000

interface ContentNode extends AsyncDisposable {
  readonly content: Content
  readonly addresses: readonly string[]
  /** A scratch folder. */
  readonly folder: string
}

/** Our content over libp2p on loopback; its content routing names the given Kubo for everything. */
async function startContentNode(kubo?: Kubo): Promise<ContentNode> {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await createTemporaryFolder())
  const libp2p = await createLibp2p(testLibp2pInit())
  stack.defer(() => libp2p.stop())
  const content = stack.use(
    await startContent({
      libp2p,
      routing: kubo === undefined ? 'off' : routingTo(kubo),
      datastore: new MemoryDatastore(),
      blocks: join(folder.path, 'blocks'),
      isDenied: () => false,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger
    })
  )
  const running = stack.move()
  return {
    content,
    addresses: libp2p.getMultiaddrs().map((address) => address.toString()),
    folder: folder.path,
    [Symbol.asyncDispose]: () => running.disposeAsync()
  }
}

function routingTo(kubo: Kubo): ContentRouting {
  return {
    provide: () => Promise.resolve(),
    findProviders: async function* () {
      await Promise.resolve()
      yield { peerId: kubo.peerId, multiaddrs: kubo.addresses }
    }
  }
}

async function writeLargeFile(folder: string): Promise<string> {
  const path = join(folder, 'large.bin')
  await writeFile(path, patternBytes(FILE_BYTES, 1))
  return path
}

async function writeManyFiles(folder: string): Promise<string> {
  const path = join(folder, 'many')
  for (let index = 0; index < FILE_COUNT; index++) {
    const inner = join(path, `part ${index % 4}`)
    await mkdir(inner, { recursive: true })
    await writeFile(join(inner, `${index}.bin`), patternBytes(500 * (index + 1), index))
  }
  return path
}

/** Every file below a folder with its hash, sorted. */
async function contentsOf(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const lines = files.map(
    async (file) => `${hash('sha256', await readFile(file))} ${file.slice(path.length)}`
  )
  return (await Promise.all(lines)).sort()
}

async function assertSameFile(one: string, other: string): Promise<void> {
  assert.equal(hash('sha256', await readFile(one)), hash('sha256', await readFile(other)))
}

describe('content with Kubo', function () {
  this.timeout(180_000)
  let program = ''
  before(async function () {
    program = await kuboOrSkip(this)
  })

  it('fetches a file of 64 MiB and a folder of 200 files that Kubo added', async () => {
    await using kubo = await startKubo(program)
    const [file, many] = [await writeLargeFile(kubo.folder), await writeManyFiles(kubo.folder)]
    await writeFile(join(many, 'empty'), '')
    const add = ['add', '-r', '-Q', '--cid-version=1']
    const fileCid = await kubo.run([...add, file], { timeoutMs: COMMAND_TIMEOUT_MS })
    const folderCid = await kubo.run([...add, many], { timeoutMs: COMMAND_TIMEOUT_MS })
    await using node = await startContentNode(kubo)
    await node.content.get(fileCid, { output: join(node.folder, 'file') })
    await assertSameFile(join(node.folder, 'file'), file)
    const got = await node.content.get(folderCid, { output: join(node.folder, 'many') })
    assert.equal(got.files, FILE_COUNT + 1)
    assert.deepEqual(await contentsOf(join(node.folder, 'many')), await contentsOf(many))
  })

  it('serves a file of 64 MiB and a folder of 200 files to Kubo, and nothing that is private', async () => {
    await using kubo = await startKubo(program)
    await using node = await startContentNode()
    const [file, many] = [await writeLargeFile(node.folder), await writeManyFiles(node.folder)]
    const [fileAdded, manyAdded] = [await node.content.add(file), await node.content.add(many)]
    const secret = await node.content.addFiles([{ path: 'secret', content: patternBytes(1_000, 7) }], {
      private: true
    })
    for (const address of node.addresses) await kubo.run(['swarm', 'connect', address])
    const fetch = (cid: unknown, output: string): Promise<string> =>
      kubo.run(['get', '-o', output, String(cid)], { timeoutMs: COMMAND_TIMEOUT_MS })
    await fetch(fileAdded.cid, join(kubo.folder, 'file'))
    await assertSameFile(join(kubo.folder, 'file'), file)
    await fetch(manyAdded.cid, join(kubo.folder, 'many'))
    assert.deepEqual(await contentsOf(join(kubo.folder, 'many')), await contentsOf(many))
    await assert.rejects(kubo.run(['block', 'get', secret.cid.toString()], { timeoutMs: 3_000 }))
  })
})
