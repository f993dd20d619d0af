import assert from 'node:assert/strict'
import { chmod, copyFile, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { ROOT } from '../../support/cli.ts'
import { startProcess, type ProcessEnd } from '../../support/process.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

const MAIN = `console.log(JSON.stringify({ args: process.argv.slice(2), file: process.argv[1].split('/').slice(-2).join('/'),
  cache: process.env.NODE_COMPILE_CACHE })); process.exitCode = 5`

describe('the launcher', () => {
  it('runs the bundle with the pinned Node, and passes arguments, exit code and folder', async () => {
    await using checkout = await createCheckout()
    const { said, code } = await launch(join(checkout.root, 'elastos'), ['a b', '--json', ''], { cwd: '/' })
    assert.equal(code, 5)
    assert.deepEqual(said, {
      args: ['a b', '--json', ''],
      file: 'dist/elastos.mjs',
      cache: `${CACHE}/elastos/compile`
    })
  })

  it('finds its checkout through links of links, and from the PATH', async () => {
    await using checkout = await createCheckout()
    const bin = join(checkout.root, 'some bin')
    await mkdir(bin)
    await symlink('../elastos', join(bin, 'first'))
    await symlink('first', join(bin, 'second'))
    await symlink(join(bin, 'second'), join(bin, 'elastos'))
    assert.equal((await launch(join(bin, 'elastos'), [])).code, 5)
    assert.equal((await launch('./second', [], { cwd: bin })).code, 5)
    const byName = await launch('/bin/sh', ['-c', 'elastos x'], {
      PATH: [bin, '/usr/bin', '/bin'].join(delimiter)
    })
    assert.deepEqual((byName.said as { args: string[] }).args, ['x'])
  })

  it('works as a dependency of another package', async () => {
    await using checkout = await createCheckout('node_modules/elastos')
    await mkdir(join(checkout.root, '..', '.bin'), { recursive: true })
    await symlink(process.execPath, join(checkout.root, '..', '.bin', 'node'))
    await rm(join(checkout.root, 'node_modules'), { recursive: true })
    assert.equal((await launch(join(checkout.root, 'elastos'), [])).code, 5)
  })

  it('runs the sources when there is no bundle, or when asked to', async () => {
    await using checkout = await createCheckout()
    const sources = { ELASTOS_SOURCES: '1' }
    assert.equal(fileOf(await launch(join(checkout.root, 'elastos'), [], sources)), 'cli/main.ts')
    await rm(join(checkout.root, 'dist'), { recursive: true })
    assert.equal(fileOf(await launch(join(checkout.root, 'elastos'), [])), 'cli/main.ts')
  })

  it('says what to run when nothing is set up', async () => {
    await using checkout = await createCheckout()
    await rm(join(checkout.root, 'node_modules'), { recursive: true })
    const { code, stderr } = await launch(join(checkout.root, 'elastos'), [], { PATH: '/nonexistent' })
    assert.equal(code, 69)
    assert.match(stderr, /not set up \(ERR_NOT_SET_UP\)\n {2}run: cd '.*with a space.*' && npm start/)
  })

  it('takes the installed Node where there is no pinned one, but never one that is too old', async () => {
    await using checkout = await createCheckout()
    await rm(join(checkout.root, 'node_modules'), { recursive: true })
    const installed = join(checkout.root, 'installed')
    await mkdir(installed)
    await symlink(process.execPath, join(installed, 'node'))
    const path = { PATH: [installed, '/usr/bin', '/bin'].join(delimiter) }
    assert.equal((await launch(join(checkout.root, 'elastos'), [], path)).code, 5)
    await rm(join(installed, 'node'))
    await writeFile(join(installed, 'node'), '#!/bin/sh\necho 20\n')
    await chmod(join(installed, 'node'), 0o755)
    const refused = await launch(join(checkout.root, 'elastos'), [], path)
    assert.equal(refused.code, 69)
    assert.match(refused.stderr, /found only Node 20 \(ERR_NOT_SET_UP\)/)
  })
})

const CACHE = '/tmp/elastos-no-such-cache'

interface Checkout extends AsyncDisposable {
  readonly root: string
}

async function createCheckout(name = 'with a space'): Promise<Checkout> {
  const folder = await createTemporaryFolder()
  const root = join(folder.path, name)
  for (const child of ['dist', 'cli', 'node_modules/.bin'])
    await mkdir(join(root, child), { recursive: true })
  await copyFile(join(ROOT, 'elastos'), join(root, 'elastos'))
  await symlink(process.execPath, join(root, 'node_modules', '.bin', 'node'))
  await writeFile(join(root, 'dist', 'elastos.mjs'), MAIN)
  await writeFile(join(root, 'cli', 'main.ts'), MAIN)
  return { root, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() }
}

interface Launched extends ProcessEnd {
  readonly said: unknown
  readonly stderr: string
}

async function launch(
  command: string,
  args: readonly string[],
  { cwd, ...env }: { cwd?: string } & NodeJS.ProcessEnv = {}
): Promise<Launched> {
  await using running = await startProcess({
    command,
    args,
    ...(cwd === undefined ? {} : { cwd }),
    env: { PATH: process.env['PATH'], XDG_CACHE_HOME: CACHE, NODE_DISABLE_COMPILE_CACHE: '1', ...env }
  })
  const end = await running.ended
  return { ...end, said: running.stdout.events().at(-1), stderr: running.stderr.text() }
}

function fileOf(launched: Launched): string {
  return (launched.said as { file: string }).file
}
