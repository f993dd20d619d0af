import type { PartsScenario } from '../scenario.ts'

/** Everything at once and small, so that thousands of seeds can be tried. */
export const smallChurn: PartsScenario = {
  about:
    'seven nodes and two liars, with bad disks, crashes and a cut, and all that people do: small enough for thousands of seeds',
  depth: 'parts',
  nodes: 7,
  seeds: 2,
  duration: '405s',
  network: { latencyMs: { min: 5, max: 150 }, lossRatio: 0.01, jitterRatio: 1 },
  happens: [
    { at: '0s', do: 'join', within: '3s' },
    { at: '4s', do: 'sybils', nodes: 2 },
    { at: '6s', do: 'keep', objects: 2, bytes: 200_000, goal: 2 },
    { at: '8s', do: 'write', nodes: 3, every: '5s' },
    { at: '8s', do: 'grant', nodes: 2, every: '20s' },
    { at: '8s', do: 'talk', rooms: 1, members: 4, every: '15s' },
    { at: '10s', do: 'name', names: 1, every: '70s' },
    { at: '12s', do: 'release', every: '150s', share: 1 },
    { at: '15s', do: 'disk', fault: 'torn', share: 0.5, for: '5m' },
    { at: '20s', do: 'churn', halfLife: '40m' },
    { at: '30s', do: 'crash', share: 0.3, for: '10s' },
    { at: '45s', do: 'crash', share: 0.3, for: '10s' },
    { at: '1m', do: 'cut', share: 0.3, for: '30s' }
  ]
}
