import type { Handle } from './identities.ts'
import type { Tables } from './tables.ts'

/** When a node joined that has not. */
export const NEVER = -1

/** What is looked for where everything is known. */
export interface TruthInit {
  readonly tables: Tables
  /** When each node joined, {@link NEVER} for those that have not. */
  readonly joinedAtMs: Int32Array
  readonly count: number
  readonly target: number
  /** The place of a node that is left out. */
  readonly except: number
  readonly beforeMs: number
}

/** The nodes nearest to a target of those that joined before a time and are there, nearest first. */
export function nearestJoined(init: TruthInit): Handle[] {
  const { tables, joinedAtMs, count, target, except, beforeMs } = init
  const nearest: Handle[] = []
  const distances: number[] = []
  for (let slot = 0; slot < joinedAtMs.length; slot++) {
    const atMs = joinedAtMs[slot] as number
    if (atMs === NEVER || atMs > beforeMs || slot === except) continue
    const handle = tables.lives[slot] as number
    const distance = (tables.idOf(handle) ^ target) >>> 0
    if (nearest.length === count && distance > (distances[count - 1] as number)) continue
    let at = nearest.length
    while (at > 0 && (distances[at - 1] as number) > distance) at--
    nearest.splice(at, 0, handle)
    distances.splice(at, 0, distance)
    if (nearest.length > count) {
      nearest.pop()
      distances.pop()
    }
  }
  return nearest
}

/** Which share of the peers in the tables of nodes that joined are gone. */
export function staleShareOf(tables: Tables, joinedAtMs: Int32Array): number {
  let [gone, all] = [0, 0]
  for (let slot = 0; slot < joinedAtMs.length; slot++) {
    if (joinedAtMs[slot] === NEVER) continue
    tables.forEach(slot, (id) => {
      all++
      if (!tables.isAlive(tables.handleOf(id))) gone++
    })
  }
  return all === 0 ? 0 : gone / all
}
