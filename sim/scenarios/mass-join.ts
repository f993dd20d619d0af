import type { PartsScenario } from '../scenario.ts'

/** Four times as many come within ten seconds. */
export const massJoin: PartsScenario = {
  about: 'a network of 50 becomes one of 200 within ten seconds',
  depth: 'parts',
  nodes: 200,
  duration: '10m',
  happens: [
    { at: '0s', do: 'join', nodes: 47, within: '30s' },
    { at: '2m', do: 'search', every: '2s' },
    { at: '4m', do: 'join', nodes: 150, within: '10s' }
  ]
}
