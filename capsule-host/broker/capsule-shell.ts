import type { GrantAnswer } from '#providers'
import { parseDid } from '#did'
import type { ProviderDirectory } from './provider.ts'
import type { Shell } from './shell.ts'

/** The contract of shells. */
const SHELL_CONTRACT = 'shell@1'

/** What {@link createCapsuleShell} works with. */
export interface CapsuleShellComponents {
  readonly providers: ProviderDirectory
  /** Lineage of the capsule that is the shell: nobody decides about itself. */
  readonly isShell: (lineage: string) => boolean
}

/**
 * A shell that is a capsule: the provider of `shell@1` whom the user chose. The broker checks its answers like anybody's
 * word.
 */
export function createCapsuleShell({ providers, isShell }: CapsuleShellComponents): Shell {
  return {
    decide: async (question, signal) => {
      const { isOwn: _isOwn, ...caller } = question.capsule
      if (isShell(caller.lineage)) return { isAllowed: false, isDurable: false, decidedBy: 'policy' }
      const seeker = { lineage: 'host:shell', requires: [{ contract: SHELL_CONTRACT }] }
      const { provider } = await providers.find(SHELL_CONTRACT, seeker, signal)
      return (await provider.call({
        caller,
        sessionId: question.id,
        sessionSignal: signal,
        subject: parseDid(caller.audience),
        command: 'shell/decide',
        resource: 'elastos://shell/question',
        params: question,
        signal
      })) as GrantAnswer
    }
  }
}
