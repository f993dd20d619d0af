import type { GrantAnswer, ShellCommands } from '#providers'
import { capsule } from '#sdk'
import { decide, SHELL_MODES, type ShellMode } from './policy.ts'

// Whoever starts it says how it decides; without a word of that it asks.
const [asked] = capsule.args
const mode: ShellMode = SHELL_MODES.find((one) => one === asked) ?? 'prompt'

await capsule.provide<ShellCommands>('shell', {
  decide: async (question, request) =>
    await decide(question, {
      mode,
      // The power of the host that stands behind this contract: a person, or nobody, who then refuses.
      askPerson: async () => (await request.power('shell/decide', question)) as GrantAnswer
    })
})
