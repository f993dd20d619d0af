import * as z from 'zod'
import type { ContactStatus } from '#contracts'
import { parseDid, type Did } from '#did'
import { NodeError } from './errors.ts'
import type { TextFiles } from './text-files.ts'

const CONTACTS_MAX = 10_000
const CONTACTS_BYTES_MAX = 4 * 1024 * 1024
const PETNAME = /^[\p{L}\p{N}](?:[\p{L}\p{N}._-]{0,62}[\p{L}\p{N}])?$/u

const book = z.strictObject({
  version: z.literal(1),
  contacts: z.array(z.strictObject({ petname: z.string(), did: z.string() })).max(CONTACTS_MAX)
})

/** The owner's own address book: a petname names one did, and only here. */
export interface Contacts {
  /** @throws NodeError ERR_CONTACT_INVALID for a malformed petname, or one that names another did */
  add(petname: string, did: string): Promise<ContactStatus>
  /** @throws NodeError ERR_CONTACT_UNKNOWN */
  remove(petname: string): Promise<void>
  list(): ContactStatus[]
  /** @throws NodeError ERR_CONTACT_UNKNOWN */
  didOf(petname: string): Did
}

/** Opens the address book at `path`; an unreadable one is an error, never an empty book. */
export async function openContacts(files: TextFiles, path: string): Promise<Contacts> {
  const didByName = await readBook(files, path)
  const save = async (): Promise<void> => {
    const contacts = [...didByName].map(([petname, did]) => ({ petname, did }))
    await files.replace(path, JSON.stringify({ version: 1, contacts }, undefined, 2) + '\n')
  }
  const known = (petname: string): Did => {
    const did = didByName.get(petname.normalize('NFC'))
    if (did !== undefined) return did
    throw new NodeError(
      'ERR_CONTACT_UNKNOWN',
      `no contact is called ${petname.slice(0, 64)}: add one with 'elastos contact add PETNAME DID'`
    )
  }
  return {
    add: async (petname, text) => {
      const name = petname.normalize('NFC')
      if (!PETNAME.test(name)) {
        throw new NodeError('ERR_CONTACT_INVALID', 'expected a petname of 1 to 64 letters, digits, . _ or -')
      }
      const did = parseDid(text)
      const before = didByName.get(name)
      if (before !== undefined && before !== did) {
        throw new NodeError('ERR_CONTACT_INVALID', `${name} already names ${before}: remove it first`)
      }
      if (didByName.size >= CONTACTS_MAX) {
        throw new NodeError('ERR_CONTACT_INVALID', `expected at most ${CONTACTS_MAX} contacts`)
      }
      didByName.set(name, did)
      await save()
      return { petname: name, did }
    },
    remove: async (petname) => {
      known(petname)
      didByName.delete(petname.normalize('NFC'))
      await save()
    },
    list: () => [...didByName].map(([petname, did]) => ({ petname, did })),
    didOf: known
  }
}

async function readBook(files: TextFiles, path: string): Promise<Map<string, Did>> {
  const text = await files.read(path, CONTACTS_BYTES_MAX)
  if (text === undefined) return new Map()
  try {
    const { contacts } = book.parse(JSON.parse(text))
    return new Map(contacts.map(({ petname, did }) => [petname, parseDid(did)]))
  } catch (cause) {
    throw new NodeError(
      'ERR_CONFIG_INVALID',
      `expected an address book in ${path}: mend it or move it away`,
      {
        cause
      }
    )
  }
}
