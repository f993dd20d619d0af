/** A node's worth of machines that is killed at a random moment, and what is left of it. */
import assert from 'node:assert/strict'
import { chmod, link, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '#contracts'
import type { GuestFiles } from '#vmm'
import { machineInit, openTestPool, probeHere } from '../../support/machine.ts'
import { startProcess } from '../../support/process.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

/** What a kill works with. */
export interface MachineKillInit {
  readonly guest: GuestFiles
  readonly image: string
  readonly random: Random
  /** The folder of a pool its machines come from; from their kernel when absent. */
  readonly pool?: string
  /** Waits no longer for what is left to end. */
  readonly signal?: AbortSignal
}

/** Within so long after its first machine a worker is killed: it has started and ended several by then. */
const KILL_MS_MAX = 300
/** With a pool it looks at its template first, or makes one. */
const POOL_KILL_MS_MAX = 1500
const POLL_MS = 20

/** Makes the template of a pool, so that machines go on from it. */
export async function makeTemplate({
  guest,
  image,
  pool
}: Pick<MachineKillInit, 'guest' | 'image'> & { readonly pool: string }): Promise<void> {
  await using machines = openTestPool(pool, { warmMax: 0 })
  const program = { args: ['/bin/busybox', 'true'] }
  const init = { report: await probeHere(guest), guest, image, program }
  await using machine = await machines.start(machineInit({ ...init, change: { tier: 'emulated' } }))
  await machine.started
}

/** Kills a process that starts machines and ends them, and waits until nothing of them runs. */
export async function killMachines(init: MachineKillInit): Promise<void> {
  const { guest, image, random, pool, signal } = init
  await using folder = await createTemporaryFolder()
  await using temporary = await createTemporaryFolder()
  // The path of its root image marks all processes of a machine, from the first one to those inside of its jail.
  const marked = join(folder.path, 'image')
  await link(image, marked)
  await using worker = await startProcess({
    command: process.execPath,
    args: [
      join(import.meta.dirname, 'machine-kill-worker.ts'),
      guest.kernel,
      guest.initrd,
      marked,
      ...(pool === undefined ? [] : [pool])
    ],
    env: { ...process.env, TMPDIR: temporary.path }
  })
  await worker.event('ready')
  await sleep(random.unit() * (pool === undefined ? KILL_MS_MAX : POOL_KILL_MS_MAX))
  worker.signal('SIGKILL')
  await worker.ended
  const paths = [folder.path, ...(pool === undefined ? [] : [pool])]
  let left = await processesWith(paths)
  while (left.length > 0 && signal?.aborted !== true) {
    await sleep(POLL_MS)
    left = await processesWith(paths)
  }
  assert.deepEqual(left, [], 'a process')
  assert.deepEqual(await readdir(temporary.path), [], 'a temporary file')
  if (pool !== undefined) await checkCleaned(pool)
}

/** The next node removes what is no whole template. */
async function checkCleaned(folder: string): Promise<void> {
  await using pool = openTestPool(folder)
  await pool.clean()
  const templates = await readdir(join(folder, 'templates')).catch(() => [])
  assert.deepEqual(
    templates.filter((name) => !/^[0-9a-f]{64}$/.test(name)),
    [],
    'a template half made'
  )
  const handover = join(folder, 'handover')
  // Its owner, too, cannot look into it.
  const isThere = await chmod(handover, 0o700).then(
    () => true,
    () => false
  )
  if (!isThere) return
  assert.deepEqual(await readdir(handover), [], 'a second name of an image')
  await chmod(handover, 0o300)
}

/** Processes that were told of one of `paths`, or are shown a file of it in their own root folder. */
async function processesWith(paths: readonly string[]): Promise<number[]> {
  const names = await readdir('/proc')
  const pids = names.map(Number).filter((pid) => Number.isInteger(pid) && pid !== process.pid)
  const found = await Promise.all(
    pids.map(async (pid) => {
      const [told, shown] = await Promise.all([readProc(pid, 'cmdline'), readProc(pid, 'mountinfo')])
      return paths.some((path) => told.includes(path) || shown.includes(path))
    })
  )
  return pids.filter((_, index) => found[index])
}

function readProc(pid: number, name: string): Promise<string> {
  return readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')
}
