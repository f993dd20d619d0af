import {
  commandCovers,
  parseResource,
  parseResourcePattern,
  resourceCovers,
  type CeilingEntry
} from '#capability'
import type { AccessRequest } from '../authority/authority.ts'
import { FileError } from '../files/errors.ts'
import type { CapsuleFiles, FileHandle, OpenOptions } from '../files/files.ts'
import type { BrokerAuthority } from './broker-core.ts'

/** A verb of the contract `localhost@1`. */
type FileVerb = 'read' | 'write' | 'list' | 'stat' | 'delete' | 'mkdir'

/** Whose files, and by what right. */
export interface FileAccess {
  readonly authority: Pick<BrokerAuthority, 'authorize' | 'peek' | 'recall'>
  readonly lineage: string
  readonly sessionId: string
  readonly ceiling: readonly CeilingEntry[]
  /**
   * Asks for what the manifest lists and nobody decided yet: a program that only knows files cannot ask itself. False when
   * it was not granted.
   */
  readonly ask?: (entry: CeilingEntry) => Promise<boolean>
}

/** Who has what is there knows that it is there. */
const STAT_BY: readonly FileVerb[] = ['stat', 'read', 'write', 'list']

/**
 * `files`, each call only with a token for it: the same commands as a call of a provider of `localhost@1`. A handle was
 * authorised when it was opened, takes no further use, and is good as long as its token is.
 */
export function authoriseFiles(files: CapsuleFiles, access: FileAccess): CapsuleFiles {
  const gate = new FileGate(access)
  return {
    stat: async (path, options) => {
      if (!gate.mayStat(path)) await gate.allow('stat', path)
      return await files.stat(path, options)
    },
    list: async (path) => {
      await gate.allow('list', path)
      return await files.list(path)
    },
    open: async (path, options) => {
      const writes =
        options.isWriting === true || options.isTruncating === true || options.isCreating === true
      const ticket = await gate.allow(writes ? 'write' : 'read', path)
      return guardHandle(await files.open(path, options), { gate, path, ticket, options })
    },
    makeFolder: async (path) => {
      await gate.allow('mkdir', path)
      await files.makeFolder(path)
    },
    remove: async (path) => {
      await gate.allow('delete', path)
      await files.remove(path)
    },
    removeFolder: async (path) => {
      await gate.allow('delete', path)
      await files.removeFolder(path)
    },
    rename: async (from, to) => await rename(files, { gate, from, to }),
    setTimes: async (path, times, options) => {
      await gate.allow('write', path)
      await files.setTimes(path, times, options)
    }
  }
}

/** What one verb was allowed by. */
interface Ticket {
  readonly verb: FileVerb
  /** The token, whose use was taken. */
  readonly tokenCid: string | undefined
}

class FileGate {
  readonly #access: FileAccess

  constructor(access: FileAccess) {
    this.#access = access
  }

  /** Takes a use. @throws FileError `ERR_FILE_DENIED`; `ERR_FILE_PATH` for a name that no resource can have */
  async allow(verb: FileVerb, path: string): Promise<Ticket> {
    const request = this.#request(verb, path)
    let verdict = await this.#access.authority.authorize(request)
    if (!verdict.isAllowed && verdict.code === 'ERR_CAPABILITY_MISSING' && (await this.#ask(request))) {
      verdict = await this.#access.authority.authorize(request)
    }
    if (!verdict.isAllowed) throw denied(verb)
    return { verb, tokenCid: verdict.tokens.at(-1) }
  }

  /** Whether what was allowed is so still. */
  isGood({ verb, tokenCid }: Ticket, path: string): boolean {
    const options = tokenCid === undefined ? {} : { tokenCid }
    return this.#access.authority.peek(this.#request(verb, path), options).isAllowed
  }

  /** Without taking a use: what may be read or written may be looked at. */
  mayStat(path: string): boolean {
    return STAT_BY.some((verb) => this.#access.authority.peek(this.#request(verb, path)).isAllowed)
  }

  /** Whether a verb is allowed for all that is below a folder, too. */
  mayBelow(verb: FileVerb, path: string): boolean {
    const { authority, ceiling, lineage, sessionId } = this.#access
    const command = `localhost/${verb}`
    const resource = parseResourcePattern(`${resourceOf(path)}/*`)
    const isListed = ceiling.some((entry) => covers(entry, { command, resource }))
    return isListed && authority.recall({ lineage, sessionId, command, resource }) === 'granted'
  }

  async #ask(request: AccessRequest): Promise<boolean> {
    const entry = request.ceiling.find((one) => covers(one, request))
    return entry !== undefined && this.#access.ask !== undefined && (await this.#access.ask(entry))
  }

  #request(verb: FileVerb, path: string): AccessRequest {
    const { lineage, sessionId, ceiling } = this.#access
    return { lineage, sessionId, ceiling, command: `localhost/${verb}`, resource: resourceOf(path) }
  }
}

/** What was opened for writing is read only with a token for reading, asked for when it is. */
function guardHandle(
  handle: FileHandle,
  opened: { gate: FileGate; path: string; ticket: Ticket; options: OpenOptions }
): FileHandle {
  const { gate, path } = opened
  const tickets = new Map<FileVerb, Ticket>([[opened.ticket.verb, opened.ticket]])
  const check = async (verb: FileVerb): Promise<void> => {
    const ticket = tickets.get(verb) ?? (await gate.allow(verb, path))
    tickets.set(verb, ticket)
    if (!gate.isGood(ticket, path)) throw denied(verb)
  }
  return {
    read: async (offset, length) => {
      await check('read')
      return await handle.read(offset, length)
    },
    write: async (offset, bytes) => {
      await check('write')
      await handle.write(offset, bytes)
    },
    truncate: async (bytes) => {
      await check('write')
      await handle.truncate(bytes)
    },
    setTimes: async (times) => {
      await check('write')
      await handle.setTimes(times)
    },
    // What is open was allowed to be open; neither tells or changes what is in it.
    sync: async () => await handle.sync(),
    stat: async () => await handle.stat(),
    close: async () => await handle.close()
  }
}

/** Moving takes away here, writes there, and lets what was only readable here be read there: all three are needed. */
async function rename(
  files: CapsuleFiles,
  { gate, from, to }: { gate: FileGate; from: string; to: string }
): Promise<void> {
  if (from === '' || to === '') throw new FileError('ERR_FILE_BUSY', 'expected a name below the root')
  await gate.allow('delete', from)
  await gate.allow('read', from)
  await gate.allow('write', to)
  const { kind } = await files.stat(from)
  if (kind === 'folder') {
    const isAll = gate.mayBelow('delete', from) && gate.mayBelow('read', from) && gate.mayBelow('write', to)
    if (!isAll) throw denied('write')
  }
  await files.rename(from, to)
}

function covers(entry: CeilingEntry, { command, resource }: { command: string; resource: string }): boolean {
  return commandCovers(entry.command, command) && resourceCovers(entry.resource, resource)
}

/** @throws FileError `ERR_FILE_PATH` unless the path has one spelling as a resource, its own */
function resourceOf(path: string): string {
  const resource = `localhost://${path}`
  try {
    if (parseResource(resource) === resource) return resource
  } catch {
    // Said below.
  }
  throw new FileError('ERR_FILE_PATH', 'expected names that a resource can have')
}

function denied(verb: FileVerb): FileError {
  return new FileError('ERR_FILE_DENIED', `expected a token for localhost/${verb}`)
}
