import {
  DEFAULT_BANDWIDTH_BYTES_PER_MS,
  DEFAULT_LATENCY_MS,
  PACKET_BYTES,
  RETRANSMISSION_MS
} from './constants.ts'
import { createRandomSource, deriveSeed } from './random-source.ts'

/** What the lines between nodes are like. */
export interface LinesInit {
  readonly seed: number
  /** One-way delay, drawn once for each pair of nodes. */
  readonly latencyMs?: { readonly min: number; readonly max: number }
  /** Of each direction of each connection. */
  readonly bandwidthBytesPerMs?: number
  /** How many packets are lost, 0 to 1; TCP sends them again, so that a loss is a delay. */
  readonly packetLossRatio?: number
}

/** How long things take on the lines. */
export interface Lines {
  readonly bytesPerMs: number
  /** One way between two nodes, the same in both directions. */
  wayMs(from: string, to: string): number
  /** How long packets of so many bytes are late because some were lost. */
  stallMs(byteLength: number): number
}

/** Draws the lines from the seed. */
export function createLines({ seed, ...init }: LinesInit): Lines {
  const { latencyMs = DEFAULT_LATENCY_MS, packetLossRatio = 0 } = init
  const losses = createRandomSource(deriveSeed(seed, 'losses'))
  return {
    bytesPerMs: init.bandwidthBytesPerMs ?? DEFAULT_BANDWIDTH_BYTES_PER_MS,
    wayMs: (from, to) => {
      const pair = from < to ? [from, to] : [to, from]
      const share = createRandomSource(deriveSeed(seed, 'latency', ...pair)).unit()
      return latencyMs.min + share * (latencyMs.max - latencyMs.min)
    },
    stallMs: (byteLength) => {
      if (packetLossRatio === 0) return 0
      let lost = 0
      for (let left = byteLength; left > 0; left -= PACKET_BYTES) {
        // the same packet may be lost again
        while (losses.unit() < packetLossRatio) lost += 1
      }
      return lost * RETRANSMISSION_MS
    }
  }
}
