import * as z from 'zod'
import type { ProviderChoices } from '#capsule-host'
import { NodeError } from './errors.ts'
import type { TextFiles } from './text-files.ts'

/** Contracts for which a provider may be chosen. */
const CHOICES_MAX = 64
/** Resolved providers that are remembered; the oldest give way. */
const PINS_MAX = 1024
const BYTES_MAX = 1024 * 1024

const text = z.string().min(1).max(512)
const choice = z.strictObject({ lineage: text, powers: z.array(text).max(16) })
const record = z.strictObject({
  version: z.literal(1),
  chosen: z.record(text, choice),
  pinned: z.record(text, text)
})

/** Which capsule serves a contract by its user's choice, and what of the host it is given for that. */
export interface ProviderChoice {
  readonly lineage: string
  readonly powers: readonly string[]
}

/** {@link ProviderChoices} whose user can change them. */
export interface NodeProviderChoices extends ProviderChoices {
  /** Has a capsule serve a contract from now on; the one of the release without one. */
  choose(contract: string, choice: ProviderChoice | undefined): Promise<void>
  /** Forgets the choices that fell on a lineage, and the powers it was given for them. */
  forget(lineage: string): Promise<void>
  list(): (ProviderChoice & { readonly contract: string })[]
  /** The powers of the host that the user gave a lineage. */
  powersOf(lineage: string): readonly string[]
}

/** Opens the choices at `path`. @throws NodeError `ERR_CONFIG_INVALID` when the file is garbled */
export async function openProviderChoices(files: TextFiles, path: string): Promise<NodeProviderChoices> {
  const { chosen, pinned } = await readRecord(files, path)
  const save = async (): Promise<void> => {
    const state = { version: 1, chosen: Object.fromEntries(chosen), pinned: Object.fromEntries(pinned) }
    await files.replace(path, `${JSON.stringify(state, undefined, 2)}\n`)
  }
  const keyOf = (lineage: string, contract: string): string => `${contract} ${lineage}`
  return {
    chosen: (contract) => chosen.get(contract)?.lineage,
    pinned: (lineage, contract) => pinned.get(keyOf(lineage, contract)),
    pin: async (lineage, contract, cid) => {
      const key = keyOf(lineage, contract)
      pinned.delete(key)
      const [oldest] = pinned.keys()
      if (pinned.size >= PINS_MAX && oldest !== undefined) pinned.delete(oldest)
      pinned.set(key, cid)
      await save()
    },
    choose: async (contract, wanted) => {
      const before = chosen.get(contract)
      if (wanted === undefined) chosen.delete(contract)
      else if (chosen.size >= CHOICES_MAX && before === undefined) {
        throw new NodeError('ERR_CONFIG_INVALID', `expected at most ${CHOICES_MAX} chosen providers`)
      } else chosen.set(contract, wanted)
      try {
        await save()
      } catch (thrown) {
        // What was not kept would be another choice after a restart.
        if (before === undefined) chosen.delete(contract)
        else chosen.set(contract, before)
        throw thrown
      }
    },
    forget: async (lineage) => {
      const gone = [...chosen].filter(([, wanted]) => wanted.lineage === lineage)
      if (gone.length === 0) return
      for (const [contract] of gone) chosen.delete(contract)
      await save()
    },
    list: () => [...chosen].map(([contract, wanted]) => ({ contract, ...wanted })),
    powersOf: (lineage) =>
      [...chosen.values()].flatMap((wanted) => (wanted.lineage === lineage ? wanted.powers : []))
  }
}

async function readRecord(
  files: TextFiles,
  path: string
): Promise<{ chosen: Map<string, ProviderChoice>; pinned: Map<string, string> }> {
  const content = await files.read(path, BYTES_MAX)
  if (content === undefined) return { chosen: new Map(), pinned: new Map() }
  try {
    const { chosen, pinned } = record.parse(JSON.parse(content))
    return { chosen: new Map(Object.entries(chosen)), pinned: new Map(Object.entries(pinned)) }
  } catch (cause) {
    throw new NodeError(
      'ERR_CONFIG_INVALID',
      `${path} is not a list of chosen providers: remove or mend it`,
      {
        cause
      }
    )
  }
}
