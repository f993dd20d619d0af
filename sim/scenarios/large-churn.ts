import type { ModelScenario } from '../scenario.ts'

/** The model, in a network of a size that cannot be tried out. */
export const largeChurn: ModelScenario = {
  about: 'ten thousand nodes, half of which leave within two hours; lookups and copies, by the model',
  depth: 'model',
  nodes: 10_000,
  duration: '30m',
  happens: [
    { at: '0s', do: 'join', within: '10m' },
    { at: '0s', do: 'churn', halfLife: '2h' },
    { at: '5m', do: 'keep', objects: 1_000, bytes: 1_000_000, goal: 5 },
    { at: '20m', do: 'search', every: '1s' }
  ]
}
