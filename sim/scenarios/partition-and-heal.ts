import type { PartsScenario } from '../scenario.ts'

/** A third of the nodes is cut off for ten minutes. */
export const partitionAndHeal: PartsScenario = {
  about: 'a third is cut off for ten minutes and comes back; both sides go on meanwhile',
  depth: 'parts',
  nodes: 60,
  duration: '40m',
  network: { latencyMs: { min: 5, max: 150 }, lossRatio: 0.005 },
  happens: [
    { at: '0s', do: 'join', within: '30s' },
    { at: '2m', do: 'keep', objects: 60, bytes: 1_000_000, goal: 3 },
    { at: '2m', do: 'name', names: 5, every: '2m' },
    { at: '2m', do: 'talk', rooms: 2, members: 8, every: '15s' },
    { at: '2m', do: 'search', every: '10s' },
    { at: '15m', do: 'cut', share: 0.33, for: '10m' }
  ]
}
