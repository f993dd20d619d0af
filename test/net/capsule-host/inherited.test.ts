import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Level } from 'level'
import { systemClock } from '#contracts'
import { DEFAULT_CAPSULE_LIMITS, probeSandbox, systemPowers, type SandboxReport } from '#capsule-host'
import { startGuestProcess } from '../../../capsule-host/process/guest-process.ts'
import { startProcess } from '../../support/process.ts'
import { needs } from '../../support/requirements.ts'
import { createTemporaryFolder, type TemporaryFolder } from '../../support/temporary-folder.ts'

const GUEST_ENTRY = fileURLToPath(new URL('../../../capsule-host/guest/main.ts', import.meta.url))
/** Above every descriptor of this process. */
const HIGHEST_DESCRIPTOR = 1023
const components = { powers: systemPowers, clock: systemClock }

describe('a store that is open while a capsule process is started', () => {
  let folder: TemporaryFolder
  let store: Level

  /** The files of the store that a process has open. */
  const held = async (pid: number): Promise<string[]> => {
    const names = await readdir(`/proc/${pid}/fd`)
    const paths = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')))
    return paths.filter((path) => path.startsWith(folder.path))
  }

  const heldByGuest = async (sandbox: SandboxReport): Promise<string[]> => {
    const guest = startGuestProcess({ ...components, sandbox }, DEFAULT_CAPSULE_LIMITS)
    try {
      // Its first frame: from then on it takes a capsule.
      await guest.output[Symbol.asyncIterator]().next()
      return await held((await guest.supervisor.pid) ?? 0)
    } finally {
      await guest.supervisor.end()
    }
  }

  before(async function () {
    await needs(this, 'linux')
    folder = await createTemporaryFolder()
    store = new Level(join(folder.path, 'db'))
    await store.open()
    await store.put('key', 'secret')
  })

  after(async () => {
    await store?.close()
    await folder?.[Symbol.asyncDispose]()
  })

  it('is left by the library to any other process, for writing', async () => {
    await using other = await startProcess({ command: 'sleep', args: ['30'] })
    assert.ok((await held(other.pid)).some((path) => path.endsWith('.log')))
  })

  it('and a folder, which leads out of any sandbox, are closed by a process that inherited them', async () => {
    await using opened = await open(folder.path)
    const guest = spawn(process.execPath, [GUEST_ENTRY, String(HIGHEST_DESCRIPTOR)], {
      stdio: ['pipe', 'pipe', 'ignore', opened.fd]
    })
    const ended = once(guest, 'exit')
    try {
      assert.ok(guest.stdout)
      await once(guest.stdout, 'readable')
      assert.deepEqual(await held(guest.pid ?? 0), [])
    } finally {
      guest.kill('SIGKILL')
      await ended
    }
  })

  it('is not in the hands of a sandboxed process when it takes its capsule', async function () {
    await needs(this, 'bubblewrap', 'prlimit')
    const sandbox = await probeSandbox(components, { guestEntry: GUEST_ENTRY })
    assert.deepEqual(await heldByGuest(sandbox), [])
  })

  it('is not in the hands of one without a sandbox either', async () => {
    const { layout: _layout, ...sandbox } = await probeSandbox(components, { guestEntry: GUEST_ENTRY })
    assert.deepEqual(await heldByGuest(sandbox), [])
  })
})
