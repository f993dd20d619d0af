import type { PartsScenario } from '../scenario.ts'

/** Everything at once and small, so that thousands of seeds can be tried. */
export const smallChurn: PartsScenario = {
  about:
    'a dozen nodes with bad disks, crashes, liars and a cut, and all that people do: small enough for thousands of seeds',
  depth: 'parts',
  nodes: 12,
  seeds: 2,
  duration: '510s',
  network: { latencyMs: { min: 5, max: 150 }, lossRatio: 0.01, jitterRatio: 1 },
  happens: [
    { at: '0s', do: 'join', within: '5s' },
    { at: '10s', do: 'sybils', nodes: 4 },
    { at: '25s', do: 'name', names: 2, every: '20s' },
    { at: '20s', do: 'write', nodes: 3, every: '3s' },
    { at: '20s', do: 'grant', nodes: 2, every: '10s' },
    { at: '20s', do: 'keep', objects: 3, bytes: 200_000, goal: 3 },
    { at: '20s', do: 'talk', rooms: 1, members: 4, every: '8s' },
    { at: '30s', do: 'release', every: '1m', share: 0.5 },
    { at: '40s', do: 'disk', fault: 'torn', share: 0.5, for: '7m' },
    { at: '1m', do: 'churn', halfLife: '1h' },
    { at: '70s', do: 'crash', share: 0.3, for: '10s' },
    { at: '100s', do: 'crash', share: 0.3, for: '10s' },
    { at: '2m', do: 'cut', share: 0.3, for: '1m' }
  ]
}
