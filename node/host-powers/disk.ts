import { FileError, type HostPower, type ProviderRequest, type VaultRoot } from '#capsule-host'
import type { Did } from '#did'
import type {
  LocalhostData,
  LocalhostDelete,
  LocalhostEntry,
  LocalhostList,
  LocalhostListing,
  LocalhostPath,
  LocalhostRead,
  LocalhostStat,
  LocalhostWrite,
  Nothing
} from '#providers'
import { unknownCommand } from './errors.ts'

/** What the power over files acts on. */
export interface DiskPowerComponents {
  /** The lineage whose did this is: the caller's own, or one that handed something on. */
  readonly lineageOf: (subject: Did) => Promise<string | undefined>
  /** The files of a lineage, within its quota; the power lets go of them. */
  readonly openRoot: (lineage: string) => Promise<VaultRoot>
}

/** Bytes one answer carries, as the contract says. */
const READ_BYTES_MAX: number = 32 * 1024
/** Entries one answer lists, as the contract says. */
const LISTED_MAX = 256
/** Bytes of names one answer lists, so that it fits one line of the channel. */
const LISTED_NAME_BYTES_MAX: number = 24 * 1024
/** Folders and files that one call deletes. */
const DELETED_MAX = 65_536

/**
 * Files of a lineage, for the provider of `localhost@1`: whose they are is decided by the token of the call, never by the
 * provider. What is answered to a write is on the disk.
 */
export function createDiskPower(components: DiskPowerComponents): HostPower {
  const roots = new Map<string, Promise<VaultRoot>>()
  const rootOf = async ({
    caller,
    subject,
    sessionId,
    sessionSignal
  }: ProviderRequest): Promise<VaultRoot> => {
    const lineage = subject === caller.audience ? caller.lineage : await components.lineageOf(subject)
    if (lineage === undefined)
      throw new FileError('ERR_FILE_DENIED', 'expected files of a capsule known here')
    sessionSignal.throwIfAborted()
    const key = `${sessionId} ${lineage}`
    const held = roots.get(key)
    if (held !== undefined) return await held
    const opening = components.openRoot(lineage)
    roots.set(key, opening)
    const leave = (): void => {
      roots.delete(key)
      void opening.then(async (root) => await root[Symbol.asyncDispose]()).catch(() => undefined)
    }
    sessionSignal.addEventListener('abort', leave, { once: true })
    opening.catch(() => roots.delete(key))
    return await opening
  }
  return {
    contract: 'localhost@1',
    helps: {},
    provider: {
      call: async (request) => {
        const root = await rootOf(request)
        switch (request.command) {
          case 'localhost/read':
            return await read(root, request.params as LocalhostRead)
          case 'localhost/write':
            return await write(root, request.params as LocalhostWrite)
          case 'localhost/list':
            return await list(root, request.params as LocalhostList)
          case 'localhost/stat':
            return await stat(root, (request.params as LocalhostPath).path)
          case 'localhost/delete':
            return await remove(root, request.params as LocalhostDelete)
          case 'localhost/mkdir':
            await root.makeFolder((request.params as LocalhostPath).path)
            await root.flush()
            return {}
          default:
            throw unknownCommand(request.command)
        }
      },
      open: ({ command }) => {
        throw unknownCommand(command)
      }
    }
  }
}

async function read(
  root: VaultRoot,
  { path, offset = 0, length = READ_BYTES_MAX }: LocalhostRead
): Promise<LocalhostData> {
  const file = await root.open(path, {})
  try {
    const bytes = await file.read(offset, Math.min(length, READ_BYTES_MAX))
    const { bytes: size } = await file.stat()
    return { data: Buffer.from(bytes).toString('base64'), isEnd: offset + bytes.byteLength >= size }
  } finally {
    await file.close()
  }
}

async function write(root: VaultRoot, { path, data, offset }: LocalhostWrite): Promise<Nothing> {
  const bytes = Buffer.from(data, 'base64')
  if (offset === undefined) await root.replace(path, bytes)
  else {
    const file = await root.open(path, { isCreating: true, isWriting: true })
    try {
      await file.write(offset, bytes)
    } finally {
      await file.close()
    }
  }
  await root.flush()
  return {}
}

async function list(root: VaultRoot, { path, after }: LocalhostList): Promise<LocalhostListing> {
  const sorted = (await root.list(path)).map(({ name }) => Buffer.from(name)).sort(Buffer.compare)
  const last = after === undefined ? undefined : Buffer.from(after)
  const names = last === undefined ? sorted : sorted.filter((name) => Buffer.compare(name, last) > 0)
  const entries: LocalhostEntry[] = []
  let nameBytes = 0
  for (const name of names) {
    nameBytes += name.byteLength
    if (entries.length >= LISTED_MAX || nameBytes > LISTED_NAME_BYTES_MAX) return { entries, hasMore: true }
    const text = name.toString()
    const found = await stat(root, path === '' ? text : `${path}/${text}`).catch(absent)
    // It was there a moment ago.
    if (found !== undefined) entries.push({ name: text, ...found })
  }
  return { entries, hasMore: false }
}

async function stat(root: VaultRoot, path: string): Promise<LocalhostStat> {
  const { kind, bytes, modifiedNs } = await root.stat(path)
  const modifiedAtMs = Math.max(0, Number(modifiedNs / 1_000_000n))
  return { type: kind === 'folder' ? 'folder' : 'file', bytes, modifiedAtMs }
}

async function remove(root: VaultRoot, { path, isRecursive = false }: LocalhostDelete): Promise<Nothing> {
  const { kind } = await root.stat(path)
  if (kind !== 'folder') await root.remove(path)
  else if (isRecursive) await removeTree(root, path)
  else await root.removeFolder(path)
  await root.flush()
  return {}
}

/** Removes what is below a folder, the deepest first, and the folder. */
async function removeTree(root: VaultRoot, path: string): Promise<void> {
  const folders = [path]
  for (let at = 0; at < folders.length && at < DELETED_MAX; at++) {
    const folder = folders[at] ?? ''
    for (const { name, kind } of await root.list(folder)) {
      if (kind === 'folder') folders.push(`${folder}/${name}`)
      else await root.remove(`${folder}/${name}`)
    }
  }
  for (const folder of folders.reverse()) await root.removeFolder(folder)
}

function absent(thrown: unknown): undefined {
  if (thrown instanceof FileError && thrown.code === 'ERR_FILE_NOT_FOUND') return undefined
  throw thrown
}
