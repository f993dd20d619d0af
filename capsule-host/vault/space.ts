import { FileError } from '../files/errors.ts'
import { CHUNK_UNITS, HEAD_UNITS, UNITS_MAX } from './constants.ts'
import { UnitMap } from './unit-map.ts'

/** Where blocks get their units from and give them back to. */
export interface Units {
  /** Takes `count` units in a row, a chunk at most. @throws FileError `ERR_FILE_NO_SPACE` */
  take(count: number): number
  /** Gives back what {@link take} gave. */
  free(unit: number, count: number): void
}

/**
 * Which units of a vault file are in use. What the last durable state or a snapshot holds is never given out again, so
 * that a crash at any moment finds it whole.
 */
export class Space implements Units {
  /** What the published state holds. */
  #current: UnitMap
  #committed: UnitMap
  /** What the last durable state or a snapshot holds. */
  #kept = new UnitMap()
  /** What cannot be given out: all of it, and what drafts hold. */
  #busy = new UnitMap()
  readonly #snapshots = new Map<string, UnitMap>()
  readonly #drafts = new Set<Draft>()
  /** No chunk, and no single unit, is free before these. */
  #chunkHint = 0
  #unitHint = 0

  /** @param current - what the state on the disk holds */
  constructor(current: UnitMap) {
    current.add(0, HEAD_UNITS)
    this.#current = current
    this.#committed = current.copy()
    this.#recount()
  }

  /** Units that cannot be given out. */
  get busyCount(): number {
    return this.#busy.count
  }

  /** One more than the last unit that cannot be given out. */
  get end(): number {
    return this.#busy.end
  }

  take(count: number): number {
    const unit = this.reserve(count)
    this.#current.add(unit, count)
    return unit
  }

  free(unit: number, count: number): void {
    this.#current.remove(unit, count)
    this.release(unit, count)
  }

  /** Finds units for {@link take} or a draft. */
  reserve(count: number): number {
    const isChunk = count === CHUNK_UNITS
    const unit = this.#busy.findFree(isChunk ? this.#chunkHint : this.#unitHint, count)
    if (unit + count > UNITS_MAX) throw new FileError('ERR_FILE_NO_SPACE', 'expected room in the vault file')
    this.#busy.add(unit, count)
    if (isChunk) this.#chunkHint = unit + count
    else if (unit === this.#unitHint) this.#unitHint += count
    return unit
  }

  /** Makes units free that nothing published or in a draft holds, unless something durable does. */
  release(unit: number, count: number): void {
    if (this.#kept.has(unit)) return
    this.#busy.remove(unit, count)
    this.#chunkHint = Math.min(this.#chunkHint, unit)
    this.#unitHint = Math.min(this.#unitHint, unit)
  }

  /** Units for changes that are published together, or not at all. */
  draft(): Draft {
    const draft = new Draft(this)
    this.#drafts.add(draft)
    return draft
  }

  /** Takes over what a draft took and lets go of what it gave back. */
  publish(taken: UnitMap, freed: UnitMap): void {
    this.#current.addAll(taken)
    this.#current.removeAll(freed)
    this.#recount()
  }

  /** Forgets a draft. */
  endDraft(draft: Draft): void {
    if (this.#drafts.delete(draft) && draft.taken.count > 0) this.#recount()
  }

  /** The published state is durable now. */
  commit(): void {
    this.#committed = this.#current.copy()
    this.#recount()
  }

  /** A snapshot holds these units: those of the published state unless told. */
  addSnapshot(id: string, units: UnitMap = this.#current.copy()): void {
    this.#snapshots.set(id, units)
    this.#recount()
  }

  dropSnapshot(id: string): void {
    this.#snapshots.delete(id)
    this.#recount()
  }

  /** The published state is that of a snapshot. */
  restore(id: string): void {
    this.#current = this.#snapshots.get(id)?.copy() ?? this.#current
    this.#recount()
  }

  #recount(): void {
    this.#kept = this.#committed.copy()
    for (const units of this.#snapshots.values()) this.#kept.addAll(units)
    this.#busy = this.#kept.copy()
    this.#busy.addAll(this.#current)
    for (const draft of this.#drafts) this.#busy.addAll(draft.taken)
    this.#chunkHint = 0
    this.#unitHint = 0
  }
}

/** Units of changes that are not published: a file that is being written. */
export class Draft implements Units {
  readonly #space: Space
  #taken = new UnitMap()
  #freed = new UnitMap()

  constructor(space: Space) {
    this.#space = space
  }

  /** What it holds beside the published state. */
  get taken(): UnitMap {
    return this.#taken
  }

  take(count: number): number {
    const unit = this.#space.reserve(count)
    this.#taken.add(unit, count)
    return unit
  }

  free(unit: number, count: number): void {
    if (this.#taken.has(unit)) {
      this.#taken.remove(unit, count)
      this.#space.release(unit, count)
    } else this.#freed.add(unit, count)
  }

  /** The changes are part of the published state. The draft goes on, empty. */
  publish(): void {
    const [taken, freed] = [this.#taken, this.#freed]
    this.#taken = new UnitMap()
    this.#freed = new UnitMap()
    if (taken.count > 0 || freed.count > 0) this.#space.publish(taken, freed)
  }

  /** Forgets the changes, or ends the draft after they were published. */
  end(): void {
    this.#space.endDraft(this)
  }
}
