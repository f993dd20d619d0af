import type { CID } from 'multiformats/cid'
import { keyOfCid, type BlockKey } from './block-key.ts'

interface Probe {
  readonly cid: CID
  readonly key: BlockKey
  isOpen: boolean
}

/** How probes reach peers. */
export interface ProbesComponents {
  /** Asks a peer whether it has a block. */
  ask(this: void, peerId: string, cid: CID): void
  /** Tells a peer that its answer no longer matters. */
  withdraw(this: void, peerId: string, cid: CID): void
}

/** Peers that were asked only whether they have a block; one question a peer at a time. */
export class Probes {
  readonly #components: ProbesComponents
  readonly #probes = new Map<string, Probe>()
  #openCount = 0

  constructor(components: ProbesComponents) {
    this.#components = components
  }

  /** Whether somebody has not answered. */
  get areOpen(): boolean {
    return this.#openCount > 0
  }

  /** Asks up to `countMax` of these peers, except those who were asked just that; returns how many. */
  ask(cid: CID, peerIds: Iterable<string>, countMax: number): number {
    const key = keyOfCid(cid)
    let count = 0
    for (const peerId of peerIds) {
      if (count >= countMax) break
      if (this.#probes.get(peerId)?.key === key) continue
      this.#drop(peerId)
      this.#probes.set(peerId, { cid, key, isOpen: true })
      this.#openCount++
      this.#components.ask(peerId, cid)
      count++
    }
    return count
  }

  /** Notes an answer; returns whether it was one to the open question of that peer. */
  answered(peerId: string, key: BlockKey): boolean {
    const probe = this.#probes.get(peerId)
    if (probe?.key !== key || !probe.isOpen) return false
    this.#end(probe)
    return true
  }

  /** Forgets a peer that is gone; it may be asked again. */
  forget(peerId: string): void {
    const probe = this.#probes.get(peerId)
    if (probe !== undefined) this.#end(probe)
    this.#probes.delete(peerId)
  }

  /** Takes all questions back. */
  clear(): void {
    for (const peerId of [...this.#probes.keys()]) this.#drop(peerId)
  }

  #drop(peerId: string): void {
    const probe = this.#probes.get(peerId)
    if (probe === undefined) return
    this.#end(probe)
    this.#probes.delete(peerId)
    this.#components.withdraw(peerId, probe.cid)
  }

  #end(probe: Probe): void {
    if (probe.isOpen) this.#openCount--
    probe.isOpen = false
  }
}
