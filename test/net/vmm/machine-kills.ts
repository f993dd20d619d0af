/** A node's worth of machines that is killed at a random moment, and what is left of it. */
import assert from 'node:assert/strict'
import { link, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '#contracts'
import type { GuestFiles } from '#vmm'
import { startProcess } from '../../support/process.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

/** What a kill works with. */
export interface MachineKillInit {
  readonly guest: GuestFiles
  readonly image: string
  readonly random: Random
  /** Waits no longer for what is left to end. */
  readonly signal?: AbortSignal
}

/** Within so long after its first machine a worker is killed: it has started and ended several by then. */
const KILL_MS_MAX = 300
const POLL_MS = 20

/** Kills a process that starts machines and ends them, and waits until nothing of them runs. */
export async function killMachines({ guest, image, random, signal }: MachineKillInit): Promise<void> {
  await using folder = await createTemporaryFolder()
  await using temporary = await createTemporaryFolder()
  // The path of its root image marks all processes of a machine, from the first one to those inside of its jail.
  const marked = join(folder.path, 'image')
  await link(image, marked)
  await using worker = await startProcess({
    command: process.execPath,
    args: [join(import.meta.dirname, 'machine-kill-worker.ts'), guest.kernel, guest.initrd, marked],
    env: { ...process.env, TMPDIR: temporary.path }
  })
  await worker.event('ready')
  await sleep(random.unit() * KILL_MS_MAX)
  worker.signal('SIGKILL')
  await worker.ended
  let left = await processesWith(folder.path)
  while (left.length > 0 && signal?.aborted !== true) {
    await sleep(POLL_MS)
    left = await processesWith(folder.path)
  }
  assert.deepEqual(left, [], 'a process')
  assert.deepEqual(await readdir(temporary.path), [], 'a temporary file')
}

/** Processes that were told of `path`, or are shown a file of it in their own root folder. */
export async function processesWith(path: string): Promise<number[]> {
  const names = await readdir('/proc')
  const pids = names.map(Number).filter((pid) => Number.isInteger(pid) && pid !== process.pid)
  const found = await Promise.all(
    pids.map(async (pid) => {
      const [told, shown] = await Promise.all([readProc(pid, 'cmdline'), readProc(pid, 'mountinfo')])
      return told.includes(path) || shown.includes(path)
    })
  )
  return pids.filter((_, index) => found[index])
}

function readProc(pid: number, name: string): Promise<string> {
  return readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')
}
