import type { PartsScenario } from '../scenario.ts'

/** Disks that tear, lose, fill up and stall, and power cuts. */
export const badDisks: PartsScenario = {
  about: 'disks tear writes, lose them, are full or slow, and the power fails again and again',
  depth: 'parts',
  nodes: 20,
  duration: '20m',
  happens: [
    { at: '0s', do: 'join', within: '10s' },
    { at: '1m', do: 'write', nodes: 15, every: '2s' },
    { at: '1m', do: 'grant', nodes: 15, every: '5s' },
    { at: '1m', do: 'name', names: 3, every: '1m' },
    { at: '2m', do: 'disk', fault: 'torn', share: 0.5, for: '15m' },
    { at: '2m', do: 'disk', fault: 'lost', share: 0.5, for: '15m' },
    { at: '6m', do: 'disk', fault: 'full', share: 0.3, for: '1m' },
    { at: '9m', do: 'disk', fault: 'slow', share: 0.3, for: '3m' },
    { at: '4m', do: 'crash', share: 0.5, for: '5s' },
    { at: '7m', do: 'crash', share: 0.5, for: '5s' },
    { at: '10m', do: 'crash', share: 0.5, for: '5s' },
    { at: '13m', do: 'crash', share: 0.9, for: '5s' }
  ]
}
