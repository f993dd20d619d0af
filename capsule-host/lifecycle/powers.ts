import { appendFile, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { LogFiles } from './logs.ts'

/** What the processes of one capsule use together, by /proc. */
export interface ProcessUsage {
  readonly processes: number
  readonly cpuSeconds: number
  /** What would be free if it ended: its private memory and its part of what is shared, else its resident set. */
  readonly memoryBytes: number
}

/** Log files in `folder`, mode 0600. */
export function createLogFiles(folder: string): LogFiles {
  const place = (name: string): string => join(folder, name)
  return {
    append: async (name, text) => {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await appendFile(place(name), text, { mode: 0o600 })
    },
    size: async (name) => (await stat(place(name)).catch(() => undefined))?.size ?? 0,
    readEnd: async (name, bytesMax) => await readEnd(place(name), bytesMax),
    rename: async (from, to) => {
      await rename(place(from), place(to))
    },
    remove: async (name) => {
      await rm(place(name), { force: true })
    }
  }
}

async function readEnd(path: string, bytesMax: number): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined)
  if (file === undefined) return ''
  try {
    const { size } = await file.stat()
    const length = Math.min(size, bytesMax)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length)
    return buffer.subarray(0, bytesRead).toString('utf8')
  } finally {
    await file.close()
  }
}

/** Processes of one capsule that are looked at: the helpers of its sandbox, and itself. */
const PROCESSES_MAX = 64
/** Ticks of /proc a second: a constant of the interface, whatever the kernel's own is (proc(5), sysconf(3)). */
const TICKS_PER_SECOND = 100

/** What a process and all it started use; `undefined` when it is gone, or where there is no /proc. */
export async function readProcessUsage(pid: number): Promise<ProcessUsage | undefined> {
  const open = [pid]
  let processes = 0
  let ticks = 0
  let memoryBytes = 0
  for (let next = open.pop(); next !== undefined && processes < PROCESSES_MAX; next = open.pop()) {
    const fields = await readStat(next)
    if (fields === undefined) continue
    processes += 1
    ticks += fields.ticks
    memoryBytes += await readMemory(next)
    const children = await readText(`/proc/${next}/task/${next}/children`)
    open.push(
      ...children
        .split(' ')
        .map(Number)
        .filter((child) => child > 0)
    )
  }
  return processes === 0 ? undefined : { processes, cpuSeconds: ticks / TICKS_PER_SECOND, memoryBytes }
}

async function readStat(pid: number): Promise<{ ticks: number } | undefined> {
  // proc(5): "pid (comm) state ppid …", where comm may hold anything; utime and stime are fields 14 and 15.
  const text = await readText(`/proc/${pid}/stat`)
  if (text === '') return undefined
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { ticks: Number(fields[11] ?? 0) + Number(fields[12] ?? 0) }
}

async function readMemory(pid: number): Promise<number> {
  const rollup = await readText(`/proc/${pid}/smaps_rollup`)
  const kib =
    /^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ??
    /^VmRSS:\s+(\d+) kB$/m.exec(await readText(`/proc/${pid}/status`))?.[1]
  return Number(kib ?? 0) * 1024
}

async function readText(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch(() => '')
}
