import type { PartsScenario } from '../scenario.ts'

/** Lids that close and open; a day is three hours here. */
export const diurnalLaptops: PartsScenario = {
  about: 'six in ten are laptops that sleep a third of a day of three hours; what was promised stays',
  depth: 'parts',
  nodes: 40,
  duration: '6h',
  happens: [
    { at: '0s', do: 'join', within: '1m' },
    { at: '3m', do: 'keep', objects: 20, bytes: 1_000_000, goal: 3 },
    { at: '30m', do: 'sleep', share: 0.6, every: '3h', asleep: '1h' }
  ],
  // whose lid closes is missed only once its lease ends: a copy less is promised to be back within five minutes of that
  holds: ['writes', 'names', 'grants', 'queues', 'code']
}
