import * as dagCbor from '@ipld/dag-cbor'
import { CID } from 'multiformats/cid'
import { keyOfBytes } from '../bitswap/block-key.ts'
import { checkCid, DAG_CBOR_CODEC, DAG_PB_CODEC, inlineBlock, RAW_CODEC } from '../cid.ts'
import { linksOf } from '../dag-links.ts'
import { firstLink, quickLinkCount, quickLinks } from '../dag-pb-links.ts'
import { hashName, slotOf } from '../shard-slot.ts'
import { decodeUnixfs } from '../unixfs-node.ts'
import { WALK_SEEN_MAX, WALK_STEPS_MAX } from './constants.ts'
import type { Ask, ByteRange } from './frames.ts'
import type { UnixfsNode } from '../unixfs-node.ts'

/** A name of a path, with the hash by which sharded folders place it. */
interface HashedName {
  readonly name: string
  readonly hash: Uint8Array
}

/** A block still to come. */
interface Step {
  readonly cid: CID
  /** See {@link stepKey}; made once, for a file of 1 GiB has a thousand of them before its first byte. */
  readonly key: string
  /** How many names of the path lead to it. */
  readonly names: number
  /** Shards between the folder's own block and this one. */
  readonly level: number
  /** Of the file that begins here. */
  readonly range: ByteRange | undefined
  /** Which of the ask's roots it lies under. */
  readonly root: number
}

/** A block that comes next, and which of the ask's roots it lies under. */
export interface UpcomingBlock {
  readonly cid: CID
  readonly root: number
}

/** Prepares the walk that an ask describes. */
export async function createWalk(ask: Ask): Promise<Walk> {
  const path: HashedName[] = []
  for (const name of ask.path ?? []) path.push({ name, hash: await hashName(name) })
  return new Walk(ask, path)
}

/** A block's name as it is remembered: its codec and multihash. */
export function stepKey(cid: CID): string {
  return String.fromCharCode(cid.code) + keyOfBytes(cid.multihash.bytes)
}

/**
 * The blocks of a DAG in the order in which they travel: depth first, each block before those it links to, links in
 * their order, none twice. Both sides walk, so the requester knows of every block which one it must be, before a
 * byte of it comes.
 *
 * Not part of the walk, because both sides have or cannot use them: blocks that are their own CID, and CIDs of hashes
 * or codecs that this node does not handle. A block that does not decode has no links.
 */
export class Walk {
  /** Whether each block is followed by the first that it links to: neither a path nor a range is walked. */
  readonly isPlain: boolean
  readonly #path: readonly HashedName[]
  readonly #below: boolean
  /** The next step is the last. */
  readonly #steps: Step[]
  readonly #seen = new Set<string>()
  /** A block whose links are still to be put on the steps, and which of them is the first. */
  #unread:
    { readonly step: Step; readonly bytes: Uint8Array; readonly first: Step; isPast: boolean } | undefined
  /** Told the keys of what comes because of a block, beyond the first, when they are known: see {@link takeFirst}. */
  onRead: ((keys: readonly string[]) => void) | undefined
  #isCut = false

  /** See {@link createWalk}. */
  constructor({ roots, below, range }: Ask, path: readonly HashedName[] = []) {
    this.#path = path
    this.#below = below
    this.isPlain = below && path.length === 0 && range === undefined
    this.#steps = roots
      .map((cid, root) => ({ cid, key: stepKey(cid), names: 0, level: 0, range, root }))
      .reverse()
  }

  /** Steps that are known to be left, those counted that will turn out to be repetitions. */
  get size(): number {
    this.read()
    return this.#steps.length
  }

  /** Whether it ended early because more than `WALK_STEPS_MAX` blocks would have been before it. */
  get isCut(): boolean {
    return this.#isCut
  }

  /** The block that must come next; `undefined` when that was all. */
  next(): CID | undefined {
    if (this.#unread?.isPast === false) return this.#unread.first.cid
    this.read()
    for (let step = this.#steps.at(-1); step !== undefined; step = this.#steps.at(-1)) {
      const inline = this.#inlineOf(step)
      if (inline === undefined && !this.#seen.has(step.key)) return step.cid
      this.#steps.pop()
      if (inline !== undefined) this.#enter(step, inline)
    }
    return undefined
  }

  /** The next blocks as far as they can be told without seeing one of them, at most `max`. */
  upcoming(max: number): UpcomingBlock[] {
    if (this.#unread?.isPast === false) return [this.#unread.first]
    if (this.next() === undefined) return []
    const found: UpcomingBlock[] = []
    const keys = new Set<string>()
    for (let index = this.#steps.length - 1; index >= 0 && found.length < max; index--) {
      const step = this.#steps[index] as Step
      const { key } = step
      if (keys.has(key) || this.#seen.has(key)) continue
      if (this.#inlineOf(step) !== undefined) break
      keys.add(key)
      found.push(step)
      if (this.#leads(step)) break
    }
    return found
  }

  /** The block that {@link next} named has come. Returns the keys of those it links to that will come because of it. */
  take(bytes: Uint8Array): string[] {
    const step = this.#pass()
    return step === undefined ? [] : this.#keysOf(this.#enter(step, bytes))
  }

  /**
   * As {@link take}, but of a block with many links only the first is told, until the walk goes on behind that: it can go out, or
   * come, before the others are decoded. The keys of these are told to `onRead`.
   */
  takeFirst(bytes: Uint8Array): string[] {
    const step = this.#pass()
    if (step === undefined) return []
    const first = this.#firstBelow(step, bytes)
    if (first === undefined) return this.#keysOf(this.#enter(step, bytes))
    this.#unread = { step, bytes, first, isPast: false }
    return [first.key]
  }

  /** Whether links are left that {@link read} would decode. */
  get hasUnread(): boolean {
    return this.#unread !== undefined
  }

  /** The block that {@link next} named does not come, and nothing below it. */
  skip(): void {
    this.#pop()
  }

  /** The later half of what is left, taken out of the walk; nothing where a path or a range is walked. */
  split(): CID[] {
    return this.handBack(Math.floor(this.size / 2))
  }

  /** The last `count` steps, or all there are, taken out of the walk; in their order. */
  handBack(count: number): CID[] {
    if (!this.isPlain) return []
    this.read()
    return this.#steps
      .splice(0, count)
      .reverse()
      .map(({ cid }) => cid)
  }

  /** What is left, in its order. */
  rest(): CID[] {
    this.read()
    return this.#steps.toReversed().map(({ cid }) => cid)
  }

  /** Puts the links on the steps that {@link takeFirst} left. */
  read(): void {
    const unread = this.#unread
    if (unread === undefined) return
    this.#unread = undefined
    const [, ...others] = this.#enter(unread.step, unread.bytes)
    if (unread.isPast) this.#steps.pop()
    this.onRead?.(this.#keysOf(others))
  }

  #keysOf(steps: readonly Step[]): string[] {
    const keys: string[] = []
    for (const next of steps) {
      if (!this.#seen.has(next.key) && this.#inlineOf(next) === undefined) keys.push(next.key)
    }
    return keys
  }

  /** The first step below a block, where it comes next for certain. */
  #firstBelow(step: Step, bytes: Uint8Array): Step | undefined {
    if (!this.isPlain || step.cid.code !== DAG_PB_CODEC) return undefined
    const count = quickLinkCount(bytes)
    if (count === undefined || this.#steps.length + count > WALK_STEPS_MAX) return undefined
    const cid = firstLink(bytes)
    const first = cid === undefined ? undefined : stepBelow(step, cid)
    const isNext = first !== undefined && !this.#seen.has(first.key) && this.#inlineOf(first) === undefined
    return isNext ? first : undefined
  }

  /** As {@link Walk.#pop}, but a leaf that leads to nothing is passed without what was left to be decoded. */
  #pass(): Step | undefined {
    const unread = this.#unread
    if (unread?.isPast !== false || unread.first.cid.code !== RAW_CODEC) return this.#pop()
    unread.isPast = true
    this.#see(unread.first)
    return undefined
  }

  #pop(): Step | undefined {
    this.read()
    const step = this.#steps.pop()
    if (step !== undefined) this.#see(step)
    return step
  }

  #see({ key }: Step): void {
    if (this.#seen.size >= WALK_SEEN_MAX) this.#seen.clear()
    this.#seen.add(key)
  }

  /** The bytes of a step that does not travel; none at all where the CID is not one of ours. */
  #inlineOf({ cid }: Step): Uint8Array | undefined {
    const inline = inlineBlock(cid)
    if (inline !== undefined) return inline
    try {
      checkCid(cid)
      return undefined
    } catch {
      return NOTHING
    }
  }

  /** Whether blocks may follow from this one. */
  #leads({ cid, names }: Step): boolean {
    return cid.code !== RAW_CODEC && (this.#below || names < this.#path.length)
  }

  #enter(step: Step, bytes: Uint8Array): readonly Step[] {
    if (!this.#leads(step)) return []
    const steps = this.#stepsBelow(step, bytes)
    if (this.#steps.length + steps.length > WALK_STEPS_MAX) {
      this.#isCut = true
      this.#steps.length = 0
      return []
    }
    for (let index = steps.length - 1; index >= 0; index--) this.#steps.push(steps[index] as Step)
    return steps
  }

  #stepsBelow(step: Step, bytes: Uint8Array): Step[] {
    try {
      if (step.names < this.#path.length) return this.#follow(step, decodeUnixfs(step.cid, bytes))
      if (step.range !== undefined) return inRange(step, step.range, decodeUnixfs(step.cid, bytes))
      const keys: string[] = []
      const links = (step.cid.code === DAG_PB_CODEC ? quickLinks(bytes, keys) : undefined) ?? []
      if (links.length > 0)
        return links.map((cid, index) => stepBelow(step, cid, { key: keys[index] as string }))
      return orderedLinks(step.cid, bytes).map((cid) => stepBelow(step, cid))
    } catch {
      return []
    }
  }

  #follow(step: Step, node: UnixfsNode): Step[] {
    const { name, hash } = this.#path[step.names] as HashedName
    if (node.kind === 'folder') {
      const found = node.links.find((link) => link.name === name)
      return found === undefined ? [] : [stepBelow(step, found.cid, { names: step.names + 1 })]
    }
    if (node.kind !== 'shard') return []
    const slot = slotOf(hash, step.level, node.shard.fanoutBits)
    const child = node.shard.children.find((candidate) => candidate.slot === slot)
    if (child !== undefined) return [stepBelow(step, child.cid, { level: step.level + 1 })]
    const entry = node.shard.entries.find((candidate) => candidate.slot === slot && candidate.name === name)
    return entry === undefined ? [] : [stepBelow(step, entry.cid, { names: step.names + 1 })]
  }
}

const NOTHING = new Uint8Array(0)

/** A step to a block that the one of `step` links to. */
function stepBelow(
  step: Step,
  cid: CID,
  o: Partial<Pick<Step, 'names' | 'level' | 'range' | 'key'>> = {}
): Step {
  const { names = step.names, level = 0, range = step.range, key = stepKey(cid) } = o
  return { cid, key, names, level, range, root: step.root }
}

/** The parts of a file that hold bytes of the range, each with what of it is wanted. */
function inRange(step: Step, { from, to }: ByteRange, node: UnixfsNode): Step[] {
  if (node.kind !== 'file') return []
  const steps: Step[] = []
  let at = node.data.length
  for (const { cid, bytes } of node.parts) {
    const range = { from: Math.max(0, from - at), to: Math.min(bytes, to - at) }
    if (range.from < range.to) steps.push(stepBelow(step, cid, { level: step.level, range }))
    at += bytes
  }
  return steps
}

/**
 * The links of a block in the order in which they are encoded: of DAG-CBOR, map entries come by the length of their
 * key and then its bytes.
 *
 * @throws ContentError `ERR_DAG_MALFORMED`
 */
function orderedLinks(cid: CID, bytes: Uint8Array): CID[] {
  if (cid.code !== DAG_CBOR_CODEC) return linksOf(cid, bytes)
  const found: CID[] = []
  const pending: unknown[] = [dagCbor.decode(bytes)]
  while (pending.length > 0) {
    const next = pending.pop()
    const link = CID.asCID(next)
    if (link !== null) found.push(link)
    else if (Array.isArray(next)) for (const item of next.toReversed()) pending.push(item)
    else if (typeof next === 'object' && next !== null && !(next instanceof Uint8Array)) {
      const entries = Object.entries(next).map(([key, value]) => ({
        key: Buffer.from(key),
        value: value as unknown
      }))
      entries.sort((a, b) => b.key.length - a.key.length || Buffer.compare(b.key, a.key))
      for (const { value } of entries) pending.push(value)
    }
  }
  return found
}
