import type { Depth } from './series.ts'

/** Nodes in one simulation, by its depth; of whole nodes, memory grows with the connections between them. */
export const NODES_MAX: Readonly<Record<Depth, number>> = { full: 200, parts: 5_000, model: 131_072 }

/** Seeds of one command. */
export const SEEDS_MAX = 100_000

/** When every simulation begins, milliseconds since the Unix epoch: 15 January 2027, 08:00 UTC. */
export const START_MS: number = 1_800_000_000_000

/** One-way delay between two nodes when nothing else is asked for. */
export const DEFAULT_LATENCY_MS: { readonly min: number; readonly max: number } = { min: 5, max: 100 }

/** 100 Mbit/s each way on each connection. */
export const DEFAULT_BANDWIDTH_BYTES_PER_MS: number = 12_500

/** What a lost packet costs: TCP sends it again after its timeout (RFC 6298 allows no less than 1 s, systems use 200 ms). */
export const RETRANSMISSION_MS: number = 200

/** Bytes of one packet: the payload of a full Ethernet frame. */
export const PACKET_BYTES: number = 1_448

/** Bytes a connection takes from its sender before it says that it is full. */
export const SEND_BUFFER_BYTES_MAX: number = 1024 * 1024

/** How long two ends of a connection that cannot reach each other keep it. */
export const DEAD_LINK_MS: number = 15_000

/** How long a dial into a void lasts when the caller does not give up before. */
export const CONNECT_TIMEOUT_MS: number = 20_000

/** Lines of the trace that are kept to be shown with a failure. */
export const TRACE_TAIL_LINES: number = 60

/** Lines of the nodes' logs, warnings and errors, that are kept to be shown with a failure. */
export const LOG_LINES_MAX: number = 60

/** How long an operation may take in virtual time when its caller does not say. */
export const OPERATION_DEADLINE_MS: number = 60_000

/**
 * How a process of whole nodes is started: what they make within 64 MiB dies before it is looked at, which halves what V8 spends on
 * it. Up to three times as much memory, counted in that of the process.
 */
export const FULL_RUN_FLAGS: readonly string[] = ['--min-semi-space-size=64', '--max-semi-space-size=64']

/** Virtual time between the starts of two nodes. */
export const START_STAGGER_MS: number = 100

/** Bytes of one file that a scenario reads. */
export const CONTENT_BYTES_MAX: number = 64 * 1024 * 1024

/** Seeds of a network of our parts when its scenario does not say: nodes that everybody knows and churn spares. */
export const SEED_NODES = 3

/** Measurements over time of one run. */
export const SAMPLES_MAX = 240

/** Virtual time between two of them. */
export const SAMPLE_MS_MIN = 1_000

/** Characters of a file that is a scenario. */
export const SCENARIO_CHARS_MAX: number = 64 * 1024

/** Bytes of it: UTF-8 takes at most three for a character of 16 bits. */
export const SCENARIO_BYTES_MAX: number = 3 * SCENARIO_CHARS_MAX

/** Steps of a scenario that is a file. */
export const STEPS_MAX = 200
