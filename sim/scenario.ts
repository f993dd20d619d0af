import type { Duration } from './duration.ts'
import type { LinesInit } from './lines.ts'
import type { Simulation } from './simulate.ts'

/** A scenario of whole nodes: a program, for what they say to each other is libp2p's. */
export interface FullScenario {
  /** One line for a person. */
  readonly about: string
  readonly depth: 'full'
  readonly nodes: number
  readonly network: Omit<LinesInit, 'seed'>
  /** Loads what nodes do together; `play` throws whatever shows that something failed. */
  readonly load: () => Promise<{ play(sim: Simulation): Promise<void> }>
}

/** What the lines between the nodes of a scenario are like; without more, 5 to 100 ms, 100 Mbit/s, nothing lost. */
export interface NetworkTerms {
  /** One way, drawn once for each pair of nodes. */
  readonly latencyMs?: { readonly min: number; readonly max: number }
  /** Of each node, up. */
  readonly bytesPerMs?: number
  /** How many packets are lost, 0 to 1; they are sent again, so that a loss is a delay, and a message overtakes another. */
  readonly lossRatio?: number
  /** How much later than its line says a message may come, as a part of the latency: 0.5 lets messages overtake. */
  readonly jitterRatio?: number
}

/** What a disk does wrong: it loses what was not synced, keeps half of a write, refuses for want of space, takes its time. */
export type DiskFault = 'lost' | 'torn' | 'full' | 'slow'

/** Something that happens to the network, or that people on it do. `at` is when; `share` is a part of the nodes that run. */
export type Step = { readonly at: Duration } & (
  | { readonly do: 'join'; readonly nodes?: number; readonly within: Duration }
  | { readonly do: 'churn'; readonly halfLife: Duration; readonly for?: Duration }
  | { readonly do: 'sleep'; readonly share: number; readonly every: Duration; readonly asleep: Duration }
  | { readonly do: 'crash'; readonly share?: number; readonly who?: 'seeds'; readonly for: Duration }
  | { readonly do: 'cut'; readonly share: number; readonly for: Duration }
  | { readonly do: 'slow'; readonly share: number; readonly latency: Duration; readonly for: Duration }
  | { readonly do: 'disk'; readonly fault: DiskFault; readonly share: number; readonly for: Duration }
  | { readonly do: 'keep'; readonly objects: number; readonly bytes: number; readonly goal: number }
  | { readonly do: 'fetch'; readonly share: number; readonly within: Duration }
  | { readonly do: 'search'; readonly every: Duration }
  | { readonly do: 'name'; readonly names: number; readonly every: Duration }
  | { readonly do: 'write'; readonly nodes: number; readonly every: Duration }
  | { readonly do: 'grant'; readonly nodes: number; readonly every: Duration }
  | { readonly do: 'talk'; readonly rooms: number; readonly members: number; readonly every: Duration }
  | { readonly do: 'release'; readonly every: Duration; readonly share: number }
  | { readonly do: 'sybils'; readonly nodes: number }
)

/** What a checker looks after; see docs/SIMULATION.md. */
export type CheckName = 'writes' | 'names' | 'grants' | 'replicas' | 'messages' | 'queues' | 'code'

/** A scenario of our own parts over a stub network: data, so that it can be a JSON file of somebody else. */
export interface PartsScenario {
  /** One line for a person. */
  readonly about: string
  readonly depth: 'parts'
  /** How many nodes run when all have joined, seeds included. */
  readonly nodes: number
  /** The first nodes, which everybody knows and churn spares. Default: 3. */
  readonly seeds?: number
  readonly duration: Duration
  readonly network?: NetworkTerms
  /** What happens when. */
  readonly happens: readonly Step[]
  /** What must hold. Default: everything. */
  readonly holds?: readonly CheckName[]
}

/** What of it the model plays. */
export type ModelStep = Extract<Step, { readonly do: 'join' | 'churn' | 'search' | 'keep' }>

/** A scenario of the model of lookups and replicas: the same data, of steps that it knows. Nothing kept may be lost. */
export interface ModelScenario {
  /** One line for a person. */
  readonly about: string
  readonly depth: 'model'
  readonly nodes: number
  readonly duration: Duration
  readonly network?: Pick<NetworkTerms, 'latencyMs'>
  /** What happens when, each of a kind once: `join` at 0s, `churn` from then on, whatever its `at` says. */
  readonly happens: readonly ModelStep[]
}

/** Something that nodes do together, and what must hold while they do it. */
export type Scenario = FullScenario | PartsScenario | ModelScenario

/** Every checker. */
export const CHECK_NAMES: readonly CheckName[] = [
  'writes',
  'names',
  'grants',
  'replicas',
  'messages',
  'queues',
  'code'
]
