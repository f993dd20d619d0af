import assert from 'node:assert/strict'
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SetupMode } from '../../../scripts/setup/packages.js'
import { ROOT } from '../../support/cli.ts'
import { startProcess, type ProcessInit } from '../../support/process.ts'
import { startTerminal } from '../../support/pty.ts'
import { needs, skipBecause } from '../../support/requirements.ts'
import { createTemporaryFolder, type TemporaryFolder } from '../../support/temporary-folder.ts'

const DRIVER = `
  import { provideSystemPackages } from '${ROOT}/scripts/setup/packages.js'
  console.log(JSON.stringify({ event: 'done', missing: await provideSystemPackages(process.argv[1], process.cwd()) }))`

/** An apt-get that notes how it was called, and on "install" puts the program of bubblewrap in place. */
const APT = `#!/bin/sh
echo "$*" >> "$APT_LOG"
case $* in
  *install*$APT_UNKNOWN*) echo 'E: Unable to locate package'; exit 100 ;;
  *install*) [ -z "$APT_FAILS" ] || { echo 'E: Unable to fetch'; exit 100; }; cp "$0" "$APT_BIN/bwrap" ;;
esac`

describe('setup: programs of the system', () => {
  before(async function () {
    await needs(this, 'linux', 'root')
  })

  it('are installed without a question for npm test', async () => {
    await using machine = await createMachine()
    assert.deepEqual(await provide(machine, 'test'), [])
    assert.match(
      await readFile(machine.log, 'utf8'),
      /update\n.*install -y --no-install-recommends bubblewrap\n$/
    )
  })

  it('are named with the reason when that fails', async () => {
    await using machine = await createMachine()
    assert.deepEqual(await provide(machine, 'test', { APT_FAILS: '1' }), [
      {
        name: 'bubblewrap',
        reason: 'capsules of others are refused: apt-get ended with 100 (E: Unable to fetch)'
      }
    ])
  })

  it('are installed where those for microVMs are unknown', async function () {
    if (process.arch !== 'x64') skipBecause(this, 'not x86-64: nothing for microVMs is asked for')
    await using machine = await createMachine()
    await rm(join(machine.bin, 'qemu-system-x86_64'))
    const missing = await provide(machine, 'test', { APT_UNKNOWN: 'qemu-system-x86' })
    assert.deepEqual(missing, [
      {
        name: 'qemu-system-x86',
        reason: 'tests in a microVM are skipped: apt-get ended with 100 (E: Unable to locate package)'
      }
    ])
  })

  it('are only named for npm start where nobody can be asked', async () => {
    await using machine = await createMachine()
    const [missing] = await provide(machine, 'start')
    assert.equal(missing?.reason, 'capsules of others are refused: run: apt-get install bubblewrap')
    await assert.rejects(readFile(machine.log), { code: 'ENOENT' })
  })

  it('are not asked for again after a no, and Ctrl-C ends it all', async function () {
    await needs(this, 'terminal')
    await using machine = await createMachine()
    {
      await using terminal = await startTerminal(commandOf(machine, 'start'))
      await terminal.stdout.match(/\[Y\/n\]/)
      terminal.control('c')
      assert.notEqual((await terminal.ended).code, 0)
    }
    for (const isAsked of [true, false]) {
      await using terminal = await startTerminal(commandOf(machine, 'start'))
      if (isAsked) await terminal.stdout.match(/\[Y\/n\]/)
      if (isAsked) terminal.type('n')
      await terminal.event('done')
      assert.equal(terminal.stdout.text().includes('[Y/n]'), isAsked)
    }
  })

  it('are asked for on a terminal', async function () {
    await needs(this, 'terminal')
    for (const [answer, isInstalled] of [
      ['y', true],
      ['n', false]
    ] as const) {
      await using machine = await createMachine()
      await using terminal = await startTerminal(commandOf(machine, 'start'))
      await terminal.stdout.match(/Run "apt-get install bubblewrap" now\? \[Y\/n\]/)
      terminal.type(answer)
      const { missing } = await terminal.event('done')
      assert.equal((missing as []).length, isInstalled ? 0 : 1)
    }
  })
})

interface Machine extends TemporaryFolder {
  readonly bin: string
  readonly log: string
}

/** A PATH of our own, with everything but bubblewrap. */
async function createMachine(): Promise<Machine> {
  const folder = await createTemporaryFolder()
  const bin = join(folder.path, 'bin')
  await mkdir(bin)
  await mkdir(join(folder.path, 'node_modules'))
  for (const [name, text] of [
    ['apt-get', APT],
    ['prlimit', '#!/bin/sh'],
    ['script', '#!/bin/sh'],
    ['qemu-system-x86_64', '#!/bin/sh'],
    ['musl-gcc', '#!/bin/sh'],
    ['cp', '#!/bin/sh\nexec /bin/cp "$@"']
  ] as const) {
    await writeFile(join(bin, name), `${text}\n`)
    await chmod(join(bin, name), 0o755)
  }
  return { ...folder, bin, log: join(folder.path, 'apt.log') }
}

function commandOf(machine: Machine, mode: SetupMode, env: NodeJS.ProcessEnv = {}): ProcessInit {
  return {
    command: '/usr/bin/env',
    cwd: machine.path,
    args: [`PATH=${machine.bin}`, process.execPath, '--input-type=module', '-e', DRIVER, mode],
    env: { ...process.env, APT_LOG: machine.log, APT_BIN: machine.bin, APT_UNKNOWN: 'none', ...env }
  }
}

async function provide(
  machine: Machine,
  mode: SetupMode,
  env: NodeJS.ProcessEnv = {}
): Promise<{ name: string; reason: string }[]> {
  await using running = await startProcess(commandOf(machine, mode, env))
  running.endInput()
  return (await running.event('done'))['missing'] as { name: string; reason: string }[]
}
