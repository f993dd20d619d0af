import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstat, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openVault, systemVaultDisk, type VaultRoot } from '#capsule-host'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import { createVaultKey } from '../../../capsule-host/vault/keys.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { readFile } from '../../support/vaults.ts'

const SECRET = new Uint8Array(32).fill(5)
const KILLS = 12
const WORKER = join(import.meta.dirname, 'vault-worker.ts')

async function openRoot(folder: string): Promise<VaultRoot> {
  const components = { disk: systemVaultDisk, clock: systemClock, random: systemRandom, logger: silentLogger }
  return await openVault(components, { folder, secret: SECRET }).root('worker', {
    quotaBytes: 64 * 1024 * 1024
  })
}

/** Runs the worker until it is killed, `afterMs` after its first word, and returns the last round it was promised. */
async function killedWorker(folder: string, first: number, afterMs: number): Promise<number> {
  const child = spawn(process.execPath, [WORKER, folder, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  let said = ''
  child.stdout.on('data', (piece: Buffer) => (said += piece.toString()))
  await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
  await sleep(afterMs)
  child.kill('SIGKILL')
  await once(child, 'close')
  // A line that was cut off was not promised.
  return Number(said.split('\n').at(-2) ?? first)
}

/** The round a file says, which must be the same from front to back. */
function roundOf(content: Uint8Array, path: string): number {
  const lines = Buffer.from(content).toString().split('\n')
  assert.equal(lines.pop(), '', `${path} ends in the middle`)
  assert.equal(new Set(lines).size, 1, `${path} is a mixture`)
  const round = Number(lines[0])
  assert.equal(lines.length, 1 + ((round * 7919) % 40_000), `${path} is not whole`)
  return round
}

describe('a vault on a real disk', () => {
  it(`opens after each of ${KILLS} kills, every file whole and none older than was promised`, async function () {
    this.timeout(180_000)
    await using folder = await createTemporaryFolder()
    const random = createSeededRandom(23)
    let promised = 0
    for (let kill = 0; kill < KILLS; kill++) {
      promised = await killedWorker(folder.path, promised, Math.floor(random.unit() * 150))
      const root = await openRoot(folder.path)
      for (const path of ['replaced', 'renamed', 'written']) {
        const round = roundOf(await readFile(root, path), path)
        assert.ok(round >= promised && round <= promised + 1, `${path}: round ${round}, promised ${promised}`)
      }
      await root[Symbol.asyncDispose]()
    }
    assert.ok(promised > KILLS, `only ${promised} rounds were done`)
  })

  it('is for its owner alone, and one file a lineage', async () => {
    await using folder = await createTemporaryFolder()
    const path = join(folder.path, 'vault')
    const root = await openRoot(path)
    await root.replace('a', Buffer.from('x'))
    await root[Symbol.asyncDispose]()
    assert.equal((await lstat(path)).mode & 0o777, 0o700)
    const [name, ...others] = await readdir(path)
    assert.deepEqual(others, [])
    assert.equal((await lstat(join(path, name!))).mode & 0o777, 0o600)
  })

  it('is never opened, made or read through a link', async () => {
    await using folder = await createTemporaryFolder()
    const elsewhere = join(folder.path, 'elsewhere')
    await writeFile(elsewhere, 'precious')
    const path = join(folder.path, 'vault')
    await mkdir(path)
    const name = createVaultKey(SECRET).fileName('worker')
    await symlink(elsewhere, join(path, name))
    await assert.rejects(openRoot(path), { code: 'ERR_FILE_IO' })
    await symlink(elsewhere, join(path, `${createVaultKey(SECRET).fileName('other')}.new`))
    const components = {
      disk: systemVaultDisk,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger
    }
    const vault = openVault(components, { folder: path, secret: SECRET })
    await vault.root('other', { quotaBytes: 1000 })
    await vault[Symbol.asyncDispose]()
    assert.equal((await lstat(elsewhere)).size, 'precious'.length)
    const linked = join(folder.path, 'linked')
    await symlink(path, linked)
    await assert.rejects(
      openVault(components, { folder: linked, secret: new Uint8Array(32) }).root('x', { quotaBytes: 1 }),
      {
        code: 'ERR_FILE_IO'
      }
    )
  })
})
