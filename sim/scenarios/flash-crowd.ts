import type { PartsScenario } from '../scenario.ts'

/** Nearly everybody wants the same within half a minute. */
export const flashCrowd: PartsScenario = {
  about: 'nearly everybody fetches the same within half a minute',
  depth: 'parts',
  nodes: 100,
  duration: '20m',
  network: { latencyMs: { min: 5, max: 100 }, bytesPerMs: 2_500 },
  happens: [
    { at: '0s', do: 'join', within: '30s' },
    { at: '2m', do: 'keep', objects: 10, bytes: 5_000_000, goal: 3 },
    { at: '8m', do: 'fetch', share: 0.9, within: '30s' },
    { at: '2m', do: 'search', every: '10s' }
  ]
}
