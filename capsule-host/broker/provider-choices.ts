import * as z from 'zod'
import { CapsuleError } from '../errors.ts'
import type { RecordFile } from '../lifecycle/records.ts'
import { CHOICES_BYTES_MAX, CHOICES_MAX, CHOICES_VERSION, PINS_MAX } from './constants.ts'
import type { ProviderChoices } from './provider-source.ts'

/** What the user chose, and a way to change it. */
export interface ProviderChoiceRecord extends ProviderChoices {
  /** Lets a capsule (lineage or CID) serve a contract, or, with `undefined`, whichever would without a choice. */
  choose(contract: string, capsule: string | undefined): Promise<void>
  /** Every choice, by contract. */
  choices(): ReadonlyMap<string, string>
  /** Forgets what a lineage was led to: it was removed, or shall be resolved anew. */
  unpin(lineage: string): Promise<void>
}

const text = z.string().min(1).max(256)
const pair = z.tuple([text, text])
const recordSchema = z.strictObject({
  version: z.literal(CHOICES_VERSION),
  chosen: z.array(pair).max(CHOICES_MAX),
  pins: z.array(pair).max(PINS_MAX)
})

interface Kept {
  readonly chosen: ReadonlyMap<string, string>
  /** By `lineage contract`, the oldest first. */
  readonly pins: ReadonlyMap<string, string>
}

/**
 * Opens the record of chosen and pinned providers.
 *
 * @throws CapsuleError `ERR_CAPSULE_RECORD` when the file is not one: a choice is never forgotten silently
 */
export async function openProviderChoices(file: RecordFile): Promise<ProviderChoiceRecord> {
  let kept = readKept(await file.read(CHOICES_BYTES_MAX))
  let writing: Promise<void> = Promise.resolve()
  const change = async (make: (before: Kept) => Kept): Promise<void> => {
    const write = async (): Promise<void> => {
      const after = make(kept)
      const record = { version: CHOICES_VERSION, chosen: [...after.chosen], pins: [...after.pins] }
      await file.replace(`${JSON.stringify(record)}\n`)
      kept = after
    }
    const written = writing.then(write)
    writing = written.catch(() => undefined)
    await written
  }
  return {
    chosen: (contract) => kept.chosen.get(contract),
    choices: () => kept.chosen,
    pinned: (lineage, contract) => kept.pins.get(pinKey(lineage, contract)),
    pin: async (lineage, contract, cid) => {
      await change(({ chosen, pins }) => {
        const others = [...pins].filter(([key]) => key !== pinKey(lineage, contract)).slice(1 - PINS_MAX)
        return { chosen, pins: new Map([...others, [pinKey(lineage, contract), cid]]) }
      })
    },
    choose: async (contract, capsule) => {
      await change(({ chosen, pins }) => {
        const others = [...chosen].filter(([name]) => name !== contract)
        if (capsule !== undefined && others.length >= CHOICES_MAX) {
          throw new CapsuleError('ERR_CAPSULE_RECORD', `expected at most ${CHOICES_MAX} choices`)
        }
        return { pins, chosen: new Map(capsule === undefined ? others : [...others, [contract, capsule]]) }
      })
    },
    unpin: async (lineage) => {
      await change(({ chosen, pins }) => ({
        chosen,
        pins: new Map([...pins].filter(([key]) => !key.startsWith(`${lineage} `)))
      }))
    }
  }
}

function pinKey(lineage: string, contract: string): string {
  return `${lineage} ${contract}`
}

function readKept(record: string | undefined): Kept {
  if (record === undefined) return { chosen: new Map(), pins: new Map() }
  try {
    const { chosen, pins } = recordSchema.parse(JSON.parse(record))
    return { chosen: new Map(chosen), pins: new Map(pins) }
  } catch (cause) {
    throw new CapsuleError('ERR_CAPSULE_RECORD', 'expected a record of chosen providers', { cause })
  }
}
