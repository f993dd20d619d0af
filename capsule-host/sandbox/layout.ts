import type { Identity } from '../powers.ts'
import type { SandboxArch } from './syscalls.ts'

/** The script that runs inside the sandbox, as it lies on this machine and inside. */
export interface GuestScript {
  /** The file, or in development the folder of sources, that is shown inside. */
  readonly source: string
  /** Where it is shown, and the only thing the process may read. */
  readonly target: string
  /** The script inside. */
  readonly entry: string
}

/** Everything a sandboxed process needs of this machine. Found once by the probe. */
export interface SandboxLayout {
  readonly bubblewrap: string
  readonly prlimit: string
  /** The program that lowers a priority; without it capsules run beside the node as equals. */
  readonly nice?: string | undefined
  readonly node: string
  /** Shared libraries of Node and prlimit, and the loader. */
  readonly libraries: readonly string[]
  readonly guest: GuestScript
  readonly arch: SandboxArch
  /** Who bubblewrap itself runs as; `undefined` for this process's own user. */
  readonly identity: Identity | undefined
  /** False on kernels that count a user's processes outside the sandbox too. */
  readonly hasOwnThreadCount: boolean
}

/** A process held only by Node's permission model and, where prlimit is there, by resource limits. */
export interface ProcessLayout {
  readonly node: string
  readonly prlimit: string | undefined
  readonly nice?: string | undefined
  readonly guest: GuestScript
}

/** Where things are inside the sandbox. */
export const INSIDE = { node: '/elastos/node', prlimit: '/elastos/prlimit', guest: '/elastos/guest' } as const

/** How `guestEntry` is shown inside: sources as their folder, a bundle as its one file. */
export function guestScript(guestEntry: string): GuestScript {
  const slash = guestEntry.lastIndexOf('/')
  const entry = `${INSIDE.guest}/${guestEntry.slice(slash + 1)}`
  if (guestEntry.endsWith('.ts')) return { source: guestEntry.slice(0, slash), target: INSIDE.guest, entry }
  return { source: guestEntry, target: entry, entry }
}

/** `guestEntry` where it lies, for a process that sees this machine's files as they are. */
export function guestScriptInPlace(guestEntry: string): GuestScript {
  const { source } = guestScript(guestEntry)
  return { source, target: source, entry: guestEntry }
}

/**
 * Reads what `ldd` prints: the files a program is linked with, each once. A library that was not found is left out;
 * the probe then fails with the loader's own words.
 */
export function parseLinkedFiles(text: string): string[] {
  const files = text
    .split('\n')
    .map((line) => /(?:=>\s+|^\s+)(\/\S+)\s+\(0x[0-9a-f]+\)/.exec(line)?.[1])
    .filter((file) => file !== undefined)
  return [...new Set(files)]
}
