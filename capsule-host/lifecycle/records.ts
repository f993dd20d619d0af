import * as z from 'zod'
import {
  INSTALLED_CAPSULES_MAX,
  INSTALLED_RECORD_BYTES_MAX,
  INSTALLED_RECORD_VERSION,
  INSTALLED_VERSIONS_MAX,
  LINEAGE_LENGTH_MAX
} from '../constants.ts'
import { CapsuleError } from '../errors.ts'
import { isCapsuleName, isCapsuleVersion } from '../manifest.ts'

/** One version of an installed capsule that this device keeps. */
export interface InstalledVersion {
  /** CID of the signed capsule. */
  readonly cid: string
  readonly version: string
  readonly installedAtMs: number
  /** The lineage's state as it was when this version was last left; `undefined` when it never was, or had no state. */
  readonly snapshot?: string | undefined
}

/** A change of version that was begun: what a start after a crash finishes. */
export interface PendingChange {
  /** CID of the version it leads to. */
  readonly to: string
  /** The state that version shall find. */
  readonly snapshot?: string | undefined
}

/** A capsule that was installed: its lineage, and which version of it runs. */
export interface InstalledCapsule {
  /** `did:key:…/NAME`: what state and grants belong to. */
  readonly lineage: string
  /** What its user calls it; unique on this device. */
  readonly alias: string
  readonly publisher: string
  readonly name: string
  readonly installedAtMs: number
  /** CID of the version that runs. */
  readonly current: string
  /** Newest first; the current one is among them. */
  readonly versions: readonly InstalledVersion[]
  readonly pending?: PendingChange | undefined
  /** Whether a change was begun that may leave remembered states no version names: they are dropped when it is over. */
  readonly isUnswept?: true | undefined
}

/** The one file the record is kept in. */
export interface RecordFile {
  /** Its text; `undefined` when there is none. */
  read(bytesMax: number): Promise<string | undefined>
  /** Replaces it in one step; durable when it resolves. */
  replace(text: string): Promise<void>
}

/** What is installed, durable: a change is on disk before it is seen. */
export interface InstalledRecords {
  list(): InstalledCapsule[]
  ofLineage(lineage: string): InstalledCapsule | undefined
  ofAlias(alias: string): InstalledCapsule | undefined
  /** Adds a capsule or replaces the one of its lineage. @throws CapsuleError `ERR_CAPSULES_TOO_MANY` */
  put(capsule: InstalledCapsule): Promise<void>
  /** Forgets a lineage. */
  delete(lineage: string): Promise<void>
}

const text = (lengthMax: number): z.ZodString => z.string().min(1).max(lengthMax)
const versionSchema = z.strictObject({
  cid: text(128),
  version: z.string().refine(isCapsuleVersion),
  installedAtMs: z.int().min(0),
  snapshot: text(128).optional()
})
const capsuleSchema = z.strictObject({
  lineage: text(LINEAGE_LENGTH_MAX),
  alias: z.string().refine(isCapsuleName),
  publisher: text(128),
  name: z.string().refine(isCapsuleName),
  installedAtMs: z.int().min(0),
  current: text(128),
  versions: z.array(versionSchema).min(1).max(INSTALLED_VERSIONS_MAX),
  pending: z.strictObject({ to: text(128), snapshot: text(128).optional() }).optional(),
  isUnswept: z.literal(true).optional()
})
const recordSchema = z.strictObject({
  version: z.literal(INSTALLED_RECORD_VERSION),
  capsules: z.array(capsuleSchema).max(INSTALLED_CAPSULES_MAX)
})

/**
 * Reads the record of installed capsules.
 *
 * @throws CapsuleError `ERR_CAPSULE_RECORD` when the file is not one: what was installed is never forgotten silently
 */
export async function openInstalledRecords(file: RecordFile): Promise<InstalledRecords> {
  let byLineage = await readRecord(file)
  let writing: Promise<void> = Promise.resolve()
  const change = async (
    make: (before: Map<string, InstalledCapsule>) => Map<string, InstalledCapsule>
  ): Promise<void> => {
    const write = async (): Promise<void> => {
      const after = make(new Map(byLineage))
      const record = { version: INSTALLED_RECORD_VERSION, capsules: [...after.values()] }
      await file.replace(`${JSON.stringify(record, undefined, 2)}\n`)
      byLineage = after
    }
    const written = writing.then(write)
    writing = written.catch(() => undefined)
    await written
  }
  return {
    list: () => [...byLineage.values()],
    ofLineage: (lineage) => byLineage.get(lineage),
    ofAlias: (alias) => byLineage.values().find((capsule) => capsule.alias === alias),
    put: async (capsule) => {
      await change((before) => {
        if (!before.has(capsule.lineage) && before.size >= INSTALLED_CAPSULES_MAX) throw tooMany()
        return before.set(capsule.lineage, capsule)
      })
    },
    delete: async (lineage) => {
      await change((before) => {
        before.delete(lineage)
        return before
      })
    }
  }
}

/** The same records, whose every change of a lineage is told. */
export function tellChanges(
  records: InstalledRecords,
  onChanged: ((lineage: string) => void) | undefined
): InstalledRecords {
  return {
    ...records,
    put: async (capsule) => {
      await records.put(capsule)
      onChanged?.(capsule.lineage)
    },
    delete: async (lineage) => {
      await records.delete(lineage)
      onChanged?.(lineage)
    }
  }
}

async function readRecord(file: RecordFile): Promise<Map<string, InstalledCapsule>> {
  const read = await file.read(INSTALLED_RECORD_BYTES_MAX)
  if (read === undefined) return new Map()
  try {
    const { capsules } = recordSchema.parse(JSON.parse(read))
    const byLineage = new Map(capsules.map((capsule) => [capsule.lineage, capsule]))
    const aliases = new Set(capsules.map(({ alias }) => alias))
    const areWhole = capsules.every(({ current, versions }) => versions.some(({ cid }) => cid === current))
    if (!areWhole || byLineage.size !== capsules.length || aliases.size !== capsules.length) {
      throw new Error('expected every lineage and alias once, each with its current version')
    }
    return byLineage
  } catch (cause) {
    throw new CapsuleError(
      'ERR_CAPSULE_RECORD',
      'expected the record of installed capsules: mend it or move it away',
      { cause }
    )
  }
}

function tooMany(): CapsuleError {
  return new CapsuleError(
    'ERR_CAPSULES_TOO_MANY',
    `expected at most ${INSTALLED_CAPSULES_MAX} installed capsules: remove one first`
  )
}
