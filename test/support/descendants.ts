import { readdir, readFile } from 'node:fs/promises'

/** A process, as /proc tells of it. */
export interface ProcessFacts {
  readonly pid: number
  readonly parent: number
  /** `Z` for one that has ended and waits for its parent. */
  readonly state: string
}

/**
 * The processes that `pid` started, and those they started, by /proc, but for those that are known and what they started; empty
 * where there is no /proc.
 */
export async function descendantsOf(
  pid: number,
  known: ReadonlySet<number> = new Set()
): Promise<ProcessFacts[]> {
  const all = await everyProcess()
  const found: ProcessFacts[] = []
  const open = [pid]
  for (let parent = open.pop(); parent !== undefined; parent = open.pop()) {
    const children = all.filter((facts) => facts.parent === parent && !known.has(facts.pid))
    found.push(...children)
    open.push(...children.map((facts) => facts.pid))
  }
  return found
}

/** Those of `pids` that still run. */
export async function stillRunning(pids: readonly number[]): Promise<number[]> {
  const all = await everyProcess()
  return all.filter(({ pid, state }) => pids.includes(pid) && state !== 'Z').map(({ pid }) => pid)
}

async function everyProcess(): Promise<ProcessFacts[]> {
  const names = await readdir('/proc').catch(() => [])
  const facts = await Promise.all(names.filter((name) => /^\d+$/.test(name)).map(readFacts))
  return facts.filter((process) => process !== undefined)
}

async function readFacts(name: string): Promise<ProcessFacts | undefined> {
  // proc(5): "pid (comm) state ppid …", where comm may hold anything, parentheses too.
  const text = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const [state = '', parent = ''] = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { pid: Number(name), parent: Number(parent), state }
}
