import type { CID } from 'multiformats/cid'
import { RAW_CODEC } from './cid.ts'
import { DAG_VISITS_MAX, DEPTH_MAX, READ_AHEAD_BLOCKS } from './constants.ts'
import { checkName, printableName } from './entry-name.ts'
import { ContentError } from './errors.ts'
import { hashName, slotOf } from './shard-slot.ts'
import { traverse } from './traverse.ts'
import { decodeUnixfs } from './unixfs-node.ts'
import type { FolderLink, Shard, UnixfsNode } from './unixfs-node.ts'

/** What a tree holds, in the order in which it can be written: a folder before its entries, a file's bytes after it. */
export type TreeEvent =
  /** `bytes`: of all below, blocks included, as the folder's author claims; `undefined` where it is sharded. */
  | {
      readonly kind: 'folder'
      readonly path: readonly string[]
      readonly cid: CID
      readonly bytes: number | undefined
    }
  | { readonly kind: 'file'; readonly path: readonly string[]; readonly cid: CID; readonly bytes: number }
  /** The next bytes of the file before, and where in it they are. */
  | { readonly kind: 'data'; readonly bytes: Uint8Array; readonly at: number }
  | { readonly kind: 'link'; readonly path: readonly string[]; readonly cid: CID; readonly target: string }

/** What a tree is read with, and how far. */
export interface ReadTreeInit {
  fetch(cid: CID): Promise<Uint8Array>
  platform: string
  /** Bytes of all files together at most. */
  bytesMax: number
  /** Files, folders and links at most. */
  entriesMax: number
  /** False: no `data` events, and no leaf of a file is fetched that its root block does not hold. */
  withData: boolean
  /** Only blocks that hold some of these bytes of each file are read; `to` is the byte after the last. */
  range?: { readonly from: number; readonly to: number } | undefined
  /** Folders below the root that are entered; 1 is the entries of the root only. */
  levelsMax?: number
}

type Role = 'entry' | 'part' | 'shard'

interface Step {
  readonly cid: CID
  readonly role: Role
  /** Names from the root of the tree to the entry that this block belongs to. */
  readonly path: readonly string[]
  /** Blocks between the entry's own block and this one. */
  readonly level: number
  /** Of a part: the bytes of the file it must hold. */
  readonly bytes?: number
  /** Of a part: where in the file it begins. */
  readonly at?: number
  /** Of a shard: the slots that led to it, so that each name in it can be checked against its hash. */
  readonly slots?: readonly number[]
  /** Of a shard: the bits of its parent, which must be its own. */
  readonly fanoutBits?: number
  /** Of a leaf that is not read: its bytes as its folder claims. */
  readonly bytesClaimed?: number | undefined
  node?: UnixfsNode
}

/**
 * Reads a UnixFS tree. Everything in it is a stranger's: names must be safe, sizes must be true, a sharded
 * folder must have each name where its hash says (so listing and looking up agree, and no name comes twice).
 *
 * @throws ContentError `ERR_PATH_UNSAFE`, `ERR_DAG_MALFORMED`, `ERR_CONTENT_TOO_LARGE`, `ERR_NOT_A_FILE`, and
 *   whatever `fetch` throws
 */
export async function* readTree(root: CID, init: ReadTreeInit): AsyncGenerator<TreeEvent> {
  const budget = new Budget(init)
  const walk = traverse<Step>([{ cid: root, role: 'entry', path: [], level: 0 }], {
    fetch: async ({ cid, bytesClaimed }) =>
      bytesClaimed === undefined ? await init.fetch(cid) : new Uint8Array(),
    aheadMax: READ_AHEAD_BLOCKS,
    expand: async (step, bytes) => {
      step.node =
        step.bytesClaimed === undefined ? decodeUnixfs(step.cid, bytes) : claimedFile(step.bytesClaimed)
      checkRole(step, step.node)
      return await below(step, step.node, init)
    }
  })
  for await (const { step } of walk) {
    budget.block()
    const node = step.node as UnixfsNode
    if (step.role === 'entry') {
      budget.entry(step.path, node)
      yield entryEvent(step, node)
    }
    if (init.withData && node.kind === 'file' && node.data.length > 0)
      yield { kind: 'data', bytes: node.data, at: step.at ?? 0 }
  }
}

function claimedFile(bytes: number): UnixfsNode {
  return { kind: 'file', bytes, data: new Uint8Array(), parts: [] }
}

class Budget {
  #bytes = 0
  #entries = 0
  #blocks = 0
  readonly #init: ReadTreeInit

  constructor(init: ReadTreeInit) {
    this.#init = init
  }

  block(): void {
    if (++this.#blocks > DAG_VISITS_MAX) throw tooLarge(`more than ${DAG_VISITS_MAX} blocks`)
  }

  entry(path: readonly string[], node: UnixfsNode): void {
    if (++this.#entries > this.#init.entriesMax) throw tooLarge(`more than ${this.#init.entriesMax} entries`)
    if (path.length > DEPTH_MAX) throw tooLarge(`more than ${DEPTH_MAX} folders deep`)
    if (node.kind !== 'file') return
    const { from, to } = this.#init.range ?? { from: 0, to: node.bytes }
    this.#bytes += Math.max(0, Math.min(to, node.bytes) - from)
    if (this.#bytes > this.#init.bytesMax) throw tooLarge(`more than ${this.#init.bytesMax} bytes`)
  }
}

function tooLarge(what: string): ContentError {
  return new ContentError('ERR_CONTENT_TOO_LARGE', `the content has ${what}`)
}

function checkRole({ cid, role, bytes, fanoutBits, level }: Step, node: UnixfsNode): void {
  const malformed = (what: string): ContentError =>
    new ContentError('ERR_DAG_MALFORMED', `block ${cid.toString()}: ${what}`)
  if (level > DEPTH_MAX) throw malformed(`more than ${DEPTH_MAX} levels`)
  if (role === 'part' && (node.kind !== 'file' || node.bytes !== bytes)) {
    throw malformed(`expected ${bytes ?? 0} bytes of a file`)
  }
  if (role === 'shard' && (node.kind !== 'shard' || node.shard.fanoutBits !== fanoutBits)) {
    throw malformed('expected a part of a sharded folder')
  }
}

function entryEvent({ path, cid }: Step, node: UnixfsNode): TreeEvent {
  if (node.kind === 'file') return { kind: 'file', path, cid, bytes: node.bytes }
  if (node.kind === 'link') return { kind: 'link', path, cid, target: node.target }
  const bytes =
    node.kind === 'folder' ? node.links.reduce((sum, link) => sum + link.bytesClaimed, 0) : undefined
  return { kind: 'folder', path, cid, bytes }
}

async function below(step: Step, node: UnixfsNode, init: ReadTreeInit): Promise<Step[]> {
  const { path } = step
  if (node.kind === 'link') return []
  if (node.kind === 'file') {
    if (!init.withData) return []
    return partSteps(step, node, init)
  }
  if (path.length >= (init.levelsMax ?? Infinity)) return []
  if (node.kind === 'shard') return await shardSteps(step, node.shard, init)
  return node.links.map((link) => {
    checkName(link.name, init.platform)
    return entryStep(path, link, init)
  })
}

function partSteps(
  { path, level, at = 0 }: Step,
  node: UnixfsNode & { kind: 'file' },
  { range }: ReadTreeInit
): Step[] {
  const steps: Step[] = []
  let start = at + node.data.length
  for (const { cid, bytes } of node.parts) {
    const isRead = range === undefined || (start < range.to && start + bytes > range.from)
    if (isRead) steps.push({ cid, bytes, at: start, role: 'part', path, level: level + 1 })
    start += bytes
  }
  return steps
}

function entryStep(
  path: readonly string[],
  { cid, name, bytesClaimed }: FolderLink,
  init: ReadTreeInit
): Step {
  const isUnread = !init.withData && cid.code === RAW_CODEC
  return {
    cid,
    role: 'entry',
    path: [...path, name],
    level: 0,
    bytesClaimed: isUnread ? bytesClaimed : undefined
  }
}

async function shardSteps(step: Step, shard: Shard, init: ReadTreeInit): Promise<Step[]> {
  const { path, level, slots = [] } = step
  const { fanoutBits } = shard
  const steps: (Step & { slot: number })[] = []
  for (const entry of shard.entries) {
    checkName(entry.name, init.platform)
    await checkSlots(entry.name, [...slots, entry.slot], fanoutBits)
    steps.push({ ...entryStep(path, entry, init), slot: entry.slot })
  }
  for (const { slot, cid } of shard.children) {
    steps.push({ slot, cid, role: 'shard', path, level: level + 1, slots: [...slots, slot], fanoutBits })
  }
  return steps.sort((a, b) => a.slot - b.slot)
}

async function checkSlots(name: string, slots: readonly number[], fanoutBits: number): Promise<void> {
  const hash = await hashName(name)
  const isThere = slots.every((slot, level) => slotOf(hash, level, fanoutBits) === slot)
  if (isThere) return
  throw new ContentError('ERR_DAG_MALFORMED', `"${printableName(name)}" is in the wrong slot of its folder`)
}
