/** A full disk, and files of the data folder that something garbled: coded, never worse, and the node comes back. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createCliHome, ROOT, type CliHome } from '../support/cli.ts'
import { assertRefused, startCliNode } from '../support/cli-node.ts'
import { startNamespaceShell, type NamespaceShell, type ShellStep } from '../support/namespace.ts'
import { needs } from '../support/requirements.ts'
import { exitCodeOf } from '../../cli/exit-codes.ts'

describe('bad disk', function () {
  this.timeout(90_000)
  let home: CliHome
  beforeEach(async () => {
    home = await createCliHome()
  })
  afterEach(async function () {
    const left = await home.running()
    await home[Symbol.asyncDispose]()
    if (this.currentTest?.isPassed() === true) assert.deepEqual(left, [])
  })

  describe('that is full', () => {
    before(async function () {
      await needs(this, 'namespaces')
    })

    it('refuses with a code, keeps what was there, and goes on when there is room', async () => {
      const disk = join(home.folder, 'disk')
      await using shell = await startNamespaceShell({ env: home.env, cwd: home.folder })
      const elastos = createElastos(shell, join(disk, 'data'))
      await succeed(shell.run(`mkdir disk && mount -t tmpfs -o size=12m tmpfs disk`))
      await succeed(elastos('node start --detach'))
      await writeFile(join(home.folder, 'small'), 'fits\n')
      await writeFile(join(home.folder, 'other'), randomBytes(100_000))
      await writeFile(join(home.folder, 'half'), randomBytes(6 * 1024 * 1024))
      await writeFile(join(home.folder, 'whole'), randomBytes(20 * 1024 * 1024))
      const { text } = await succeed(elastos('add small'))
      const cid = /"cid":"(\w+)"/.exec(text)?.[1] ?? ''

      refused(await elastos('add whole'), 'ERR_DISK_FULL')
      // What did not fit was removed again, so that what fits still does.
      await succeed(elastos('add half --private'))

      await shell.run('cat /dev/zero > disk/filler')
      refused(await elastos('add other'), 'ERR_DISK_FULL')
      refused(await elastos(`get ${cid} -o disk/copy`), 'ERR_DISK_FULL')
      refused(
        await elastos('contact add bob did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'),
        'ERR_FILE_IO'
      )
      await succeed(elastos('node status'))
      await succeed(elastos('node stop'))
      refused(await elastos('node start'), 'ERR_DISK_FULL')
      refused(await elastos('node start --detach'), 'ERR_DISK_FULL', 'ERR_NODE_START_FAILED')

      await succeed(shell.run('rm disk/filler'))
      await succeed(elastos('node start --detach'))
      await succeed(elastos(`get ${cid} -o disk/copy`))
      assert.equal((await succeed(shell.run('cat disk/copy'))).text, 'fits\n')
      await succeed(elastos('node stop'))
    })
  })

  describe('whose files are garbled', () => {
    const inData = (...names: string[]): string => join(home.dataFolder, ...names)
    /** A node that has been used, stopped; its did and the CID of a file it has. */
    const usedBefore = async (): Promise<{ did: string; cid: string; keys: Buffer }> => {
      const node = await startCliNode(home, home.dataFolder, { flags: ['--reach', 'local'] })
      await writeFile(join(home.folder, 'file'), 'kept\n')
      const { json } = await node.succeed(['add', join(home.folder, 'file')])
      await node.succeed(['contact', 'add', 'alice', node.status.personDid])
      await node.succeed(['deny', 'add', 'bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4'])
      await node.stop()
      return {
        did: node.status.did,
        cid: String(json?.['cid']),
        keys: await readFile(inData('keys', 'identity.json'))
      }
    }

    const damages: Record<string, (file: string) => Promise<void>> = {
      'truncated to nothing': async (file) => await truncate(file, 0),
      'cut in the middle': async (file) => await truncate(file, Math.floor((await stat(file)).size / 2)),
      'overwritten with noise': async (file) =>
        await writeFile(file, randomBytes((await stat(file)).size + 16))
    }

    for (const [damage, apply] of Object.entries(damages)) {
      it(`the store: each of its files ${damage} in turn`, async () => {
        const before = await usedBefore()
        let isFirst = true
        for (const pattern of [/^CURRENT$/, /^MANIFEST/, /\.(log|ldb)$/]) {
          for (const name of await readdir(inData('db')))
            if (pattern.test(name)) await apply(inData('db', name))
          const node = await startCliNode(home, home.dataFolder)
          assert.equal(node.status.did, before.did, 'the identity changed')
          const { stdout } = await node.succeed(['pin', 'ls'])
          if (isFirst)
            assert.ok(stdout.includes(before.cid), 'the tables were whole: repair should keep the pin')
          isFirst = false
          // Blocks are elsewhere: adding the file again is all it takes to have it back.
          await node.succeed(['add', join(home.folder, 'file')])
          const output = join(home.folder, `copy-${randomBytes(4).toString('hex')}`)
          await node.succeed(['get', before.cid, '-o', output])
          assert.equal(await readFile(output, 'utf8'), 'kept\n')
          await node.stop()
        }
        assert.deepEqual(await readFile(inData('keys', 'identity.json')), before.keys)
      })
    }

    for (const [damage, apply] of Object.entries(damages)) {
      it(`a pack of blocks ${damage}: never handed out, coded, and mended by adding the file again`, async () => {
        const { cid } = await usedBefore()
        const packs = (await readdir(inData('blocks', 'packs'))).filter((name) => name.endsWith('.pack'))
        assert.ok(packs.length > 0, 'no pack of blocks was found to garble')
        for (const name of packs) await apply(inData('blocks', 'packs', name))
        const node = await startCliNode(home, home.dataFolder)
        const result = await node.run(['get', cid, '-o', join(home.folder, 'copy'), '--deadline', '5'])
        assertRefused(result, 'ERR_BLOCK_CORRUPT', 'ERR_CONTENT_NO_PROVIDERS', 'ERR_CONTENT_NOT_FOUND')
        await node.answers()
        await node.succeed(['add', join(home.folder, 'file')])
        await node.succeed(['get', cid, '-o', join(home.folder, 'copy')])
        await node.stop()
      })
    }

    it('keys, configuration, contacts, deny list: the node refuses to start with a code and overwrites nothing', async () => {
      await usedBefore()
      const cases: Record<string, string> = {
        'keys/identity.json': 'ERR_KEYSTORE_CORRUPT',
        'config.json': 'ERR_CONFIG_INVALID',
        'contacts.json': 'ERR_CONFIG_INVALID',
        'deny.json': 'ERR_DENY_LIST_CORRUPT'
      }
      for (const [file, code] of Object.entries(cases)) {
        const good = await readFile(inData(file))
        for (const bad of [
          good.subarray(0, good.length / 2),
          Buffer.alloc(0),
          Buffer.from('[]'),
          randomBytes(100)
        ]) {
          await writeFile(inData(file), bad)
          for (const flags of bad.length === 0 ? [[], ['--detach']] : [[]]) {
            const { message } = assertRefused(await home.run(['node', 'start', '--json', ...flags]), code)
            assert.ok(message.includes(inData(file)), `the sentence does not say which file: ${message}`)
          }
          assert.deepEqual(await readFile(inData(file)), bad, `${file} was overwritten`)
        }
        await writeFile(inData(file), good)
      }
      await writeFile(inData('known-seeds.json'), 'noise', { mode: 0o600 })
      const toSeed = ['node', 'start', '--json', '--bootstrap', 'http://127.0.0.1:1']
      assertRefused(await home.run(toSeed), 'ERR_KNOWN_SEEDS_CORRUPT')
      assert.equal(await readFile(inData('known-seeds.json'), 'utf8'), 'noise')
      await rm(inData('known-seeds.json'))
      assertRefused(await home.run(['id', 'create', '--json']), 'ERR_KEYSTORE_EXISTS')
      const node = await startCliNode(home, home.dataFolder)
      await node.stop()
    })

    it('a data folder that is none, or not ours', async () => {
      await writeFile(join(home.folder, 'a-file'), '')
      for (const data of ['a-file', 'a-file/below']) {
        assertRefused(await home.run(['node', 'start', '--json', '--data', data]), 'ERR_DATA_FOLDER')
        assertRefused(await home.run(['add', 'a-file', '--json', '--data', data]), 'ERR_NODE_START_FAILED')
      }
    })
  })
})

/** Runs `elastos …` in the shell, against a data folder, in JSON. */
function createElastos(shell: NamespaceShell, data: string): (args: string) => Promise<ShellStep> {
  return async (args) => await shell.run(`'${join(ROOT, 'elastos')}' ${args} --json --data '${data}'`)
}

async function succeed(step: Promise<ShellStep>): Promise<ShellStep> {
  const done = await step
  assert.equal(done.code, 0, done.text)
  return done
}

function refused({ code, text }: ShellStep, ...codes: string[]): void {
  const found = /"error":\{"code":"(\w+)"/.exec(text)?.[1] ?? ''
  assert.ok(codes.includes(found), `expected ${codes.join(' or ')}: ${text}`)
  assert.equal(code, exitCodeOf(found))
}
