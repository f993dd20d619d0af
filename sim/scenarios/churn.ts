import type { PartsScenario } from '../scenario.ts'

/** Nodes that live for two hours in the middle, and what people do meanwhile. */
export const churn: PartsScenario = {
  about: 'nodes come and go, half of them within two hours, while people keep, publish, talk and search',
  depth: 'parts',
  nodes: 100,
  duration: '1h',
  network: { latencyMs: { min: 5, max: 100 }, lossRatio: 0.005, jitterRatio: 0.5 },
  happens: [
    { at: '0s', do: 'join', within: '1m' },
    { at: '3m', do: 'keep', objects: 100, bytes: 1_000_000, goal: 5 },
    { at: '8m', do: 'churn', halfLife: '2h' },
    { at: '3m', do: 'search', every: '10s' },
    { at: '3m', do: 'name', names: 5, every: '5m' },
    { at: '3m', do: 'talk', rooms: 3, members: 6, every: '20s' },
    { at: '3m', do: 'release', every: '15m', share: 0.3 }
  ]
}
