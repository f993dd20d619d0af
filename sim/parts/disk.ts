import { Key } from 'interface-datastore'
import type { Datastore } from 'interface-datastore'
import type { AuthorityStore } from '#capsule-host'
import type { Clock } from '#contracts'
import type { PrivateFiles } from '#did'
import type { RandomSource } from '../random-source.ts'
import type { DiskFault } from '../scenario.ts'
import { createDiskFiles, systemError, type Pending } from './disk-files.ts'

/** The parts of a datastore that names use. */
export type NameDatastore = Pick<Datastore, 'get' | 'put' | 'has' | 'delete' | 'queryKeys'>

/** What one run of a node sees of its disk. */
export interface MountedDisk {
  readonly files: PrivateFiles
  /** Entries of a section, in no order. */
  entries(section: string): readonly (readonly [key: string, value: Uint8Array])[]
  get(section: string, key: string): Uint8Array | undefined
  /** Makes all changes or none; durable when it resolves. `undefined` removes. @throws an error with code `ENOSPC` */
  write(
    section: string,
    changes: Iterable<readonly [key: string, value: Uint8Array | undefined]>
  ): Promise<void>
}

/** The disk of a node: it outlives a crash, but for what was not durable yet. */
export interface VirtualDisk {
  /** What is wrong with it at the moment. */
  readonly faults: Set<DiskFault>
  /** Says of folders that they are synced when they are not: a bug, planted. */
  isHasty: boolean
  mount(clock: Clock): MountedDisk
  /** What is durable in a section, for who counts copies. */
  peek(section: string): ReadonlyMap<string, Uint8Array>
  /** How many writes are not durable yet. */
  waiting(): number
  /** The power is cut: what was not durable is lost, or not, as chance and the fault say. */
  crash(): void
}

const WRITE_MS = 1
const SLOW_WRITE_MS = { min: 200, max: 3_000 }

/** An empty disk. */
export function createVirtualDisk(random: RandomSource): VirtualDisk {
  const sections = new Map<string, Map<string, Uint8Array>>()
  const files = createDiskFiles()
  const pending = new Set<Pending>()
  const faults = new Set<DiskFault>()
  const section = (name: string): Map<string, Uint8Array> => {
    const known = sections.get(name) ?? new Map<string, Uint8Array>()
    sections.set(name, known)
    return known
  }
  const disk: VirtualDisk = {
    faults,
    isHasty: false,
    peek: section,
    waiting: () => pending.size,
    crash: () => {
      for (const { apply, tear } of pending) {
        if (faults.has('torn') && tear !== undefined) tear()
        else if (!faults.has('lost') && random.unit() < 0.5) apply()
      }
      pending.clear()
      files.crash((operations) => (faults.has('lost') ? 0 : Math.floor(random.unit() * (operations + 1))))
    },
    mount: (clock) => {
      const durable = async (write: Pending): Promise<void> => {
        if (faults.has('full')) throw systemError('ENOSPC', 'the disk')
        const slowMs = SLOW_WRITE_MS.min + random.unit() * (SLOW_WRITE_MS.max - SLOW_WRITE_MS.min)
        pending.add(write)
        const finish = (): void => {
          if (pending.delete(write)) write.apply()
        }
        await clock.sleep(faults.has('slow') ? slowMs : WRITE_MS)
        finish()
      }
      return {
        files: files.mount({ durable, isHasty: () => disk.isHasty }),
        entries: (name) => [...section(name)],
        get: (name, key) => section(name).get(key),
        write: async (name, changes) => {
          const list = [...changes]
          await durable({
            apply: () => {
              for (const [key, value] of list) {
                if (value === undefined) section(name).delete(key)
                else section(name).set(key, value)
              }
            }
          })
        }
      }
    }
  }
  return disk
}

/** The datastore of names on a disk. */
export function diskDatastore(disk: MountedDisk): NameDatastore {
  const SECTION = 'names'
  return {
    get: (key) => {
      const value = disk.get(SECTION, key.toString())
      if (value === undefined) throw systemError('ENOENT', key.toString())
      return value
    },
    put: async (key, value) => {
      await disk.write(SECTION, [[key.toString(), value]])
      return key
    },
    has: (key) => disk.get(SECTION, key.toString()) !== undefined,
    delete: async (key) => {
      await disk.write(SECTION, [[key.toString(), undefined]])
    },
    queryKeys: async function* ({ prefix = '' }) {
      for (const [key] of disk.entries(SECTION)) if (key.startsWith(prefix)) yield new Key(key, false)
    }
  }
}

/** The store of grants on a disk. */
export function diskAuthorityStore(disk: MountedDisk): AuthorityStore {
  const SECTION = 'grants'
  const MARK = 'grants mark'
  return {
    get: async (key) => disk.get(SECTION, key),
    entries: async function* ({ from, to, isReversed = false, limit = Infinity }) {
      const found = disk.entries(SECTION).filter(([key]) => key >= from && key <= to)
      yield* found.toSorted(([a], [b]) => (a < b === isReversed ? 1 : -1)).slice(0, limit)
    },
    write: async (changes) => {
      await disk.write(
        SECTION,
        changes.map((change) => [
          change.key,
          change.type === 'put' ? Uint8Array.from(change.value) : undefined
        ])
      )
    },
    readMark: async () => disk.get(MARK, MARK),
    writeMark: async (bytes) => {
      await disk.write(MARK, [[MARK, Uint8Array.from(bytes)]])
    },
    setAside: async () => {
      await disk.write(
        SECTION,
        disk.entries(SECTION).map(([key]) => [key, undefined])
      )
    },
    [Symbol.asyncDispose]: async () => undefined
  }
}
