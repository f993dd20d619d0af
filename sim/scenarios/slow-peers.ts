import type { PartsScenario } from '../scenario.ts'

/** Some lines become very slow. */
export const slowPeers: PartsScenario = {
  about: 'three in ten answer seconds late for ten minutes',
  depth: 'parts',
  nodes: 60,
  duration: '20m',
  network: { latencyMs: { min: 5, max: 100 }, lossRatio: 0.02, jitterRatio: 1 },
  happens: [
    { at: '0s', do: 'join', within: '30s' },
    { at: '2m', do: 'search', every: '5s' },
    { at: '2m', do: 'name', names: 5, every: '1m' },
    { at: '5m', do: 'slow', share: 0.3, latency: '2s', for: '10m' }
  ]
}
