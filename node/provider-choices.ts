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
const record = z.strictObject({
  version: z.literal(1),
  chosen: z.record(text, text),
  pinned: z.record(text, text)
})

/** {@link ProviderChoices} whose user can change them. */
export interface NodeProviderChoices extends ProviderChoices {
  /** Has a capsule serve a contract from now on; the one of the release without one. */
  choose(contract: string, capsule: string | undefined): Promise<void>
  /** What was chosen: contract and capsule. */
  list(): { readonly contract: string; readonly capsule: string }[]
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
    chosen: (contract) => chosen.get(contract),
    pinned: (lineage, contract) => pinned.get(keyOf(lineage, contract)),
    pin: async (lineage, contract, cid) => {
      const key = keyOf(lineage, contract)
      pinned.delete(key)
      const [oldest] = pinned.keys()
      if (pinned.size >= PINS_MAX && oldest !== undefined) pinned.delete(oldest)
      pinned.set(key, cid)
      await save()
    },
    choose: async (contract, capsule) => {
      if (capsule === undefined) chosen.delete(contract)
      else if (chosen.size >= CHOICES_MAX && !chosen.has(contract)) {
        throw new NodeError('ERR_CONFIG_INVALID', `expected at most ${CHOICES_MAX} chosen providers`)
      } else chosen.set(contract, capsule)
      await save()
    },
    list: () => [...chosen].map(([contract, capsule]) => ({ contract, capsule }))
  }
}

async function readRecord(
  files: TextFiles,
  path: string
): Promise<{ chosen: Map<string, string>; pinned: Map<string, string> }> {
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
