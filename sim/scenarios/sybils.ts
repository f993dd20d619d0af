import type { PartsScenario } from '../scenario.ts'

/** Liars, as many as half of the honest. */
export const sybils: PartsScenario = {
  about: 'liars, half as many as the honest, say that they have what is released, and hand out forgeries',
  depth: 'parts',
  nodes: 40,
  duration: '30m',
  happens: [
    { at: '0s', do: 'join', within: '30s' },
    { at: '1m', do: 'sybils', nodes: 20 },
    { at: '3m', do: 'release', every: '5m', share: 0.5 },
    { at: '3m', do: 'name', names: 3, every: '2m' },
    { at: '3m', do: 'search', every: '10s' }
  ]
}
