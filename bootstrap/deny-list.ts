import { CID } from 'multiformats/cid'
import * as z from 'zod'
import { parseDid, type Did } from '#did'
import { CID_CHARS_MAX, DENY_ENTRIES_MAX, DENY_LIST_BYTES_MAX } from './constants.ts'
import { BootstrapError } from './errors.ts'
import { createPrivateJson, type PrivateJsonComponents } from './private-json.ts'

/** One thing this node has nothing to do with: content, or somebody. */
export type DenyEntry =
  { readonly kind: 'cid'; readonly value: string } | { readonly kind: 'did'; readonly value: Did }

/** What this node refuses to fetch, keep, serve or talk to. */
export interface DenyList {
  /**
   * Denies a CID or a did, durably when it resolves; whether it was not denied before.
   *
   * @throws BootstrapError `ERR_DENY_VALUE` or `ERR_DENY_LIST_FULL`, DidError an `ERR_FILE_…` code
   */
  add(value: string): Promise<boolean>
  /** Allows it again; whether it was denied. A CID is found by its hash, in whatever form it was denied. */
  remove(value: string): Promise<boolean>
  /** Everything denied, CIDs first. */
  list(): DenyEntry[]
  /** Whether content is denied: any CID with the same hash is the same content. */
  isDeniedCid(cid: CID): boolean
  /** Whether somebody, a person or a device, is denied. */
  isDeniedDid(did: string): boolean
}

interface DenyFile {
  readonly version: 1
  readonly cids: readonly string[]
  readonly dids: readonly string[]
}

const entries = z.array(z.string().max(CID_CHARS_MAX)).max(DENY_ENTRIES_MAX)
const schema: z.ZodType<DenyFile> = z.strictObject({ version: z.literal(1), cids: entries, dids: entries })

/**
 * Opens the deny list at `path`, a file of mode 0600; empty only when there is no file.
 *
 * @throws BootstrapError `ERR_DENY_LIST_CORRUPT` rather than deny less than was asked for, DidError an `ERR_FILE_…`
 * code
 */
export async function openDenyList(components: PrivateJsonComponents, path: string): Promise<DenyList> {
  const corrupt = (cause: unknown): BootstrapError =>
    new BootstrapError(
      'ERR_DENY_LIST_CORRUPT',
      `expected the deny list at ${path}, got something else; nothing starts without it. mend it or move it away`,
      { cause }
    )
  const file = createPrivateJson(components, { path, schema, bytesMax: DENY_LIST_BYTES_MAX, corrupt })
  const denied = new DeniedSet()
  const stored = await file.read()
  try {
    for (const text of [...(stored?.cids ?? []), ...(stored?.dids ?? [])]) denied.add(parseEntry(text))
  } catch (cause) {
    throw corrupt(cause)
  }
  const save = async (): Promise<void> => {
    await file.write({ version: 1, cids: [...denied.cids.values()], dids: [...denied.dids] })
  }
  return {
    add: async (value) => {
      const entry = parseEntry(value)
      if (denied.has(entry)) return false
      if (denied.size >= DENY_ENTRIES_MAX) {
        throw new BootstrapError(
          'ERR_DENY_LIST_FULL',
          `expected at most ${DENY_ENTRIES_MAX} denied CIDs and dids`
        )
      }
      // Denied in memory first: should the disk refuse, this process still honours it.
      denied.add(entry)
      await save()
      return true
    },
    remove: async (value) => {
      const entry = parseEntry(value)
      if (!denied.delete(entry)) return false
      try {
        await save()
      } catch (thrown) {
        // Allowed only once that is durable.
        denied.add(entry)
        throw thrown
      }
      return true
    },
    list: () => denied.list(),
    isDeniedCid: (cid) => denied.cids.has(hashOf(cid)),
    isDeniedDid: (did) => denied.dids.has(did)
  }
}

/** Denied CIDs by multihash, and denied dids. */
class DeniedSet {
  readonly cids = new Map<string, string>()
  readonly dids = new Set<string>()

  get size(): number {
    return this.cids.size + this.dids.size
  }

  has(entry: ParsedEntry): boolean {
    return entry.cid === undefined ? this.dids.has(entry.text) : this.cids.has(hashOf(entry.cid))
  }

  add(entry: ParsedEntry): void {
    if (entry.cid === undefined) this.dids.add(entry.text)
    else this.cids.set(hashOf(entry.cid), entry.text)
  }

  delete(entry: ParsedEntry): boolean {
    return entry.cid === undefined ? this.dids.delete(entry.text) : this.cids.delete(hashOf(entry.cid))
  }

  list(): DenyEntry[] {
    return [
      ...[...this.cids.values()].map((value) => ({ kind: 'cid', value }) as const),
      ...[...this.dids].map((value) => ({ kind: 'did', value: value as Did }) as const)
    ]
  }
}

interface ParsedEntry {
  readonly text: string
  readonly cid?: CID
}

function parseEntry(value: string): ParsedEntry {
  try {
    if (value.startsWith('did:')) return { text: parseDid(value) }
    if (value.length > CID_CHARS_MAX) throw new Error('too long')
    return { text: value, cid: CID.parse(value) }
  } catch (cause) {
    const shown = JSON.stringify(value.slice(0, 120).replaceAll(/[^\x20-\x7e]/g, '?'))
    throw new BootstrapError('ERR_DENY_VALUE', `expected a CID or a did:key:…, got ${shown}`, { cause })
  }
}

function hashOf(cid: CID): string {
  return Buffer.from(cid.multihash.bytes).toString('latin1')
}
