import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { controlSocketPath } from '#contracts'
import { assertRefused, assertSucceeded } from '../../support/cli-node.ts'
import { createCliHome } from '../../support/cli.ts'

const LISTEN = ['--listen', '/ip4/127.0.0.1/tcp/0', '--no-mdns']

describe('a command that starts a node', () => {
  it('shares the one that another command is starting at this moment', async () => {
    await using home = await createCliHome()
    // A seed that never answers keeps the first start busy for a while.
    const silent = createServer((socket) => socket.resume()).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    try {
      const { port } = silent.address() as { port: number }
      const flags = [...LISTEN, '--bootstrap', `http://127.0.0.1:${String(port)}`]
      const first = home.run(['pin', 'ls', '--json', ...flags])
      const store = join(home.dataFolder, 'db', 'LOCK')
      await until(
        async () =>
          await readFile(store).then(
            () => true,
            () => false
          )
      )
      const second = home.run(['pin', 'ls', '--json', ...flags])
      assertSucceeded(await first, ['first'])
      assertSucceeded(await second, ['second'])
      assertSucceeded(await home.run(['node', 'stop']), ['stop'])
      await until(async () => (await home.running()).length === 0)
    } finally {
      silent.close()
    }
  })

  it('says why its node could not start, by the code it ended with', async () => {
    await using home = await createCliHome()
    await mkdir(home.dataFolder, { recursive: true, mode: 0o700 })
    await writeFile(join(home.dataFolder, 'config.json'), '{"version":1,"reach":"moon"}', { mode: 0o600 })
    const { message } = assertRefused(await home.run(['pin', 'ls', '--json']), 'ERR_CONFIG_INVALID')
    assert.match(message, /config\.json/)
  })

  it('works on a data folder that is a link', async () => {
    await using home = await createCliHome()
    await mkdir(join(home.folder, 'disk'), { mode: 0o700 })
    const link = join(home.folder, 'link')
    await symlink(join(home.folder, 'disk'), link)
    assertSucceeded(await home.run(['pin', 'ls', '--data', link, ...LISTEN]), ['pin ls'])
    assertSucceeded(await home.run(['node', 'status', '--data', join(home.folder, 'disk')]), ['status'])
  })

  it('says that options of a start change nothing when a node runs already', async () => {
    await using home = await createCliHome()
    assertSucceeded(await home.run(['pin', 'ls', ...LISTEN]), ['pin ls'])
    const again = assertSucceeded(await home.run(['pin', 'ls', '--reach', 'public']), ['pin ls'])
    assert.match(again.stderr, /a node runs already, so --reach public changes nothing/)
  })
})

describe('a command that finds a control socket', () => {
  it('tells nothing to one that another user may have put there', async () => {
    await using home = await createCliHome()
    const data = join(home.folder, 'deep'.repeat(30))
    const path = controlSocketPath(data, {
      environment: home.env,
      platform: process.platform,
      homeFolder: home.folder,
      temporaryFolder: tmpdir(),
      userId: process.getuid?.() ?? 0
    })
    await mkdir(dirname(path), { recursive: true })
    await chmod(dirname(path), 0o777)
    let heard = ''
    const impostor = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.on('data', (bytes) => (heard += bytes.toString()))
    }).listen(path)
    await once(impostor, 'listening')
    try {
      assertRefused(await home.run(['add', 'x', '--data', data, '--json']), 'ERR_NODE_UNREACHABLE')
      assert.equal(heard, '')
    } finally {
      impostor.close()
    }
  })
})

describe('pin add', () => {
  it('keeps private what was added in private, unless it is told otherwise', async () => {
    await using home = await createCliHome()
    await writeFile(join(home.folder, 'diary.txt'), 'mine')
    const added = assertSucceeded(await home.run(['add', 'diary.txt', '--private', '--json', ...LISTEN]), [
      'add'
    ])
    const pinned = assertSucceeded(await home.run(['pin', 'add', String(added.json?.['cid']), '--json']), [
      'pin'
    ])
    assert.equal(pinned.json?.['isPublic'], false)
  })
})

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20))
}
