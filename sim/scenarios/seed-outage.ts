import type { PartsScenario } from '../scenario.ts'

/** The nodes that everybody knows are gone for a while. */
export const seedOutage: PartsScenario = {
  about: 'all seeds are down for a quarter of an hour, and the network goes on without them',
  depth: 'parts',
  nodes: 60,
  duration: '30m',
  happens: [
    { at: '0s', do: 'join', within: '30s' },
    { at: '2m', do: 'search', every: '10s' },
    { at: '2m', do: 'name', names: 5, every: '2m' },
    { at: '2m', do: 'talk', rooms: 2, members: 6, every: '15s' },
    { at: '8m', do: 'crash', who: 'seeds', for: '15m' },
    { at: '12m', do: 'crash', share: 0.2, for: '1m' },
    { at: '15m', do: 'join', nodes: 10, within: '1m' }
  ]
}
