import type { Clock } from '#contracts'
import { createPromptDesk, type PromptChoice, type PromptDesk, type Shell } from '#capsule-host'
import type { GrantAnswer, GrantQuestion } from '#providers'
import { decide, type ShellMode } from '#shell'
import type { Contacts } from './contacts.ts'

/** What decides what capsules may do, and where their questions wait for a person. */
export interface NodeShell {
  readonly mode: ShellMode
  readonly shell: Shell
  readonly desk: PromptDesk
}

/** What {@link createNodeShell} works with. */
export interface NodeShellComponents {
  readonly clock: Clock
  readonly contacts: Pick<Contacts, 'list'>
  /** Files of a lineage below a resource such as `localhost://notes`, for picking one. */
  readonly filesBelow: (lineage: string, resource: string) => Promise<readonly PromptChoice[]>
  /** Keeps an answer that comes when nobody waits for it any more. */
  readonly keep: (question: GrantQuestion, answer: GrantAnswer) => Promise<void>
}

/** The shell of this node. */
export function createNodeShell(components: NodeShellComponents, mode: ShellMode): NodeShell {
  const { clock, keep } = components
  const desk = createPromptDesk({
    ...{ clock, keep },
    choicesOf: async (question) => await choicesOf(components, question)
  })
  return {
    ...{ mode, desk },
    shell: {
      decide: async (question, signal) =>
        await decide(question, { mode, askPerson: async (asked) => await desk.ask(asked, signal) })
    }
  }
}

/** What a person may pick: their own contacts, or what the capsule keeps. */
async function choicesOf(
  { contacts, filesBelow }: NodeShellComponents,
  { pick, resource, capsule }: GrantQuestion
): Promise<readonly PromptChoice[]> {
  const base = resource.endsWith('://*') ? resource.slice(0, -1) : resource.replace(/\*$/, '')
  if (pick === 'person') {
    return contacts.list().map(({ petname, did }) => ({ label: petname, resource: `${base}${did}` }))
  }
  const isFile = (pick === 'file' || pick === 'folder') && base.startsWith('localhost:')
  return isFile ? await filesBelow(capsule.lineage, base) : []
}
