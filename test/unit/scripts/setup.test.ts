import assert from 'node:assert/strict'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { areDependenciesInstalled, explainInstallFailure } from '../../../scripts/setup/dependencies.js'
import { withLock } from '../../../scripts/setup/lock.js'
import { requireSetupNode } from '../../../scripts/setup/runtime.js'
import { ROOT } from '../../support/cli.ts'
import { startProcess } from '../../support/process.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

describe('setup: the packages', () => {
  const wanted = {
    '': { version: '1.0.0' },
    'node_modules/a': { version: '1.0.0' },
    'node_modules/other-platform': { version: '2.0.0', optional: true }
  }

  it('are installed when npm has noted the versions of the lockfile', async () => {
    assert.equal(await isInstalled(wanted, { 'node_modules/a': { version: '1.0.0' } }), true)
  })

  it('are not when one is absent, of another version, or npm did not finish', async () => {
    assert.equal(await isInstalled(wanted, {}), false)
    assert.equal(await isInstalled(wanted, { 'node_modules/a': { version: '1.0.1' } }), false)
    const stale = {
      'node_modules/a': { version: '1.0.0' },
      'node_modules/other-platform': { version: '1.9.0' }
    }
    assert.equal(await isInstalled(wanted, stale), false)
    assert.equal(await isInstalled(wanted, undefined), false)
  })
})

describe('setup: a failed install', () => {
  const cases = [
    ['npm error code ENOSPC\nnpm error nospc no space left on device', 'ERR_SETUP_DISK_FULL'],
    ['npm error code EAI_AGAIN\nnpm error request to … failed', 'ERR_SETUP_OFFLINE'],
    ['npm error code ECONNREFUSED', 'ERR_SETUP_OFFLINE'],
    ['npm error code EACCES\nnpm error syscall mkdir', 'ERR_SETUP_NOT_WRITABLE'],
    ['npm error code EINTEGRITY', 'ERR_SETUP_INSTALL_FAILED']
  ] as const

  for (const [output, code] of cases) {
    it(`is explained: ${code} for ${output.split('\n')[0] ?? ''}`, () => {
      const error = explainInstallFailure(output)
      assert.equal(error.code, code)
      assert.notEqual(error.advice, '')
    })
  }
})

describe('setup: the Node on the machine', () => {
  it('is refused when it is older than 20', () => {
    assert.throws(() => requireSetupNode('18.20.4'), { code: 'ERR_SETUP_NODE_TOO_OLD' })
    requireSetupNode('20.12.0')
    requireSetupNode('100.0.0')
  })
})

describe('setup: the lock', () => {
  it('lets one task run at a time', async () => {
    await using folder = await createTemporaryFolder()
    const path = join(folder.path, 'lock')
    const log: string[] = []
    const task = (name: string) => async () => {
      log.push(`${name} begins`)
      await new Promise((resolve) => setTimeout(resolve, 20))
      log.push(`${name} ends`)
    }
    await Promise.all([withLock(path, task('a')), withLock(path, task('b'))])
    assert.deepEqual(log, ['a begins', 'a ends', 'b begins', 'b ends'])
  })

  it('is taken over from a process that died, or that left no name', async () => {
    await using folder = await createTemporaryFolder()
    await using died = await startProcess({ command: process.execPath, args: ['-e', '0'] })
    await died.ended
    for (const owner of [String(died.pid), '']) {
      const path = join(folder.path, 'lock')
      await writeFile(path, owner)
      assert.equal(await withLock(path, async () => 'done'), 'done')
      await assert.rejects(readFile(path), { code: 'ENOENT' })
    }
  })

  it('is free again after a failure', async () => {
    await using folder = await createTemporaryFolder()
    const path = join(folder.path, 'lock')
    await assert.rejects(
      withLock(path, () => Promise.reject(new Error('no'))),
      /no/
    )
    assert.equal(await withLock(path, async () => 1), 1)
  })
})

describe('setup: as a command', () => {
  it('names npm when it is missing, and ends with 69', async () => {
    await using checkout = await createEmptyCheckout()
    const { code, stderr } = await setUp(checkout.path, { PATH: '/nonexistent' })
    assert.equal(code, 69)
    assert.match(stderr, /expected npm on the PATH, found none \(ERR_SETUP_NPM_MISSING\)/)
  })

  it('names the offline registry, and ends with 69', async () => {
    await using checkout = await createEmptyCheckout()
    const lock = {
      lockfileVersion: 3,
      packages: { '': {}, 'node_modules/a': { version: '1.0.0', integrity: 'sha512-AA==' } }
    }
    await writeFile(join(checkout.path, 'package-lock.json'), JSON.stringify(lock))
    await writeFile(
      join(checkout.path, 'package.json'),
      JSON.stringify({ type: 'module', dependencies: { a: '1.0.0' } })
    )
    const offline = { npm_config_registry: 'http://127.0.0.1:9', npm_config_fetch_retries: '0' }
    const { code, stderr } = await setUp(checkout.path, { ...process.env, ...offline })
    assert.equal(code, 69)
    assert.match(stderr, /got ECONNREFUSED \(ERR_SETUP_OFFLINE\)/)
  })
})

async function isInstalled(wanted: object, installed: object | undefined): Promise<boolean> {
  await using folder = await createTemporaryFolder()
  await mkdir(join(folder.path, 'node_modules'))
  await writeFile(join(folder.path, 'package-lock.json'), JSON.stringify({ packages: wanted }))
  if (installed !== undefined) {
    await writeFile(
      join(folder.path, 'node_modules', '.package-lock.json'),
      JSON.stringify({ packages: installed })
    )
  }
  return areDependenciesInstalled(folder.path)
}

/** A checkout with the scripts and nothing else. */
async function createEmptyCheckout(): ReturnType<typeof createTemporaryFolder> {
  const folder = await createTemporaryFolder()
  await cp(join(ROOT, 'scripts'), join(folder.path, 'scripts'), { recursive: true })
  await writeFile(join(folder.path, 'package.json'), '{ "type": "module" }')
  await writeFile(join(folder.path, 'package-lock.json'), '{ "lockfileVersion": 3, "packages": {} }')
  return folder
}

async function setUp(root: string, env: NodeJS.ProcessEnv): Promise<{ code: number | null; stderr: string }> {
  const { npm_execpath: _, ...rest } = env
  const args = [join(root, 'scripts', 'setup.js')]
  await using running = await startProcess({ command: process.execPath, args, cwd: root, env: rest })
  const { code } = await running.ended
  return { code, stderr: running.stderr.text() }
}
