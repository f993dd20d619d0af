import type { Handle } from './identities.ts'
import type { LookupRules, TableRules } from './constants.ts'

/** What a model of lookups is like. */
export interface LookupModelInit {
  /** How many nodes there are once all have joined. */
  readonly nodeCount: number
  readonly seed: number
  readonly tables: TableRules
  readonly rules?: LookupRules
  /** Half of the lives are shorter; the first nodes live for ever. */
  readonly halfLifeMs?: number
  /** In what time the nodes join, one after the other. */
  readonly growMs: number
  /** How long a message takes, at least and at most, by pair of nodes. */
  readonly latencyMs?: { readonly min: number; readonly max: number }
}

/** A lookup that was measured. */
export interface MeasuredLookup {
  /** The nearest that were found. */
  readonly found: Uint32Array
  /** The longest chain of questions each of which had to wait for the answer to another. */
  readonly rounds: number
  readonly durationMs: number
  readonly messages: number
  readonly failures: number
  /** How many peers were truly nearest, and which share of them was found. */
  readonly wanted: number
  readonly recall: number
}

/** What searches need to know of the nodes. */
export interface SearchNodes {
  /** Whether a node is connected to the peer that has an id. */
  readonly has: (slot: number, id: number) => boolean
}

/** How a search begins. */
export interface SearchStart {
  /** Who looks. */
  readonly slot: number
  readonly owner: Handle
  readonly target: number
  /** Whether each of the nearest has to answer. */
  readonly isThorough: boolean
  /** What it is for; the meaning is that of the model. */
  readonly purpose: number
  readonly nowMs: number
}
