/** What `doctor` asks the machine itself. */
import { existsSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { dirname } from 'node:path'
import { formatBytes } from '../output.ts'

/** One thing a machine has or lacks, and what mends that. */
export interface MachineCheck {
  readonly name: string
  readonly isOk: boolean
  readonly found: string
  readonly mend: readonly string[]
}

const DISK_BYTES_MIN = 1024 ** 3
const NODE_MAJOR = 26

/** The Node this runs on. */
export function checkNode(): MachineCheck {
  const isOk = Number(process.versions.node.split('.')[0]) >= NODE_MAJOR
  const mend = isOk ? [] : ['run it with ./elastos, which uses the pinned Node']
  return { name: 'node', isOk, found: `Node ${process.versions.node}`, mend }
}

/** Free space where the data folder is, or will be. */
export async function checkDisk(dataFolder: string): Promise<MachineCheck> {
  let folder = dataFolder
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder)
  const { bavail, bsize } = await statfs(folder)
  const free = bavail * bsize
  const isOk = free >= DISK_BYTES_MIN
  const mend = isOk ? [] : [`free space on the disk of ${folder}, or choose another --data`]
  return { name: 'disk', isOk, found: `${formatBytes(free)} free for ${dataFolder}`, mend }
}

/** The networks this machine is on. */
export function checkReach(): MachineCheck {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  const others = addresses.filter(({ internal, scopeid }) => !internal && (scopeid ?? 0) === 0)
  const found =
    others.length === 0
      ? 'no network but loopback: only --reach local makes sense'
      : `${others.map(({ address }) => address).join(', ')} for --reach lan or public`
  return { name: 'reach', isOk: true, found, mend: [] }
}
