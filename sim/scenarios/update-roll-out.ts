import type { PartsScenario } from '../scenario.ts'

/** New versions reach nearly everybody, and forgeries nobody. */
export const updateRollOut: PartsScenario = {
  about: 'new versions of a capsule reach nine in ten, past liars and while nodes come and go',
  depth: 'parts',
  nodes: 60,
  duration: '30m',
  happens: [
    { at: '0s', do: 'join', within: '30s' },
    { at: '1m', do: 'sybils', nodes: 5 },
    { at: '2m', do: 'release', every: '6m', share: 0.9 },
    { at: '5m', do: 'churn', halfLife: '1h' }
  ]
}
