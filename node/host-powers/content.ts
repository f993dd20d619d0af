import { CID } from 'multiformats/cid'
import type { HostPower, ProviderRequest } from '#capsule-host'
import type { Content } from '#content'
import { errorCode, type Clock } from '#contracts'
import type { ContentAdd, ContentAdded, ContentData, ContentGet, ContentName, ContentStat } from '#providers'
import { PowerError, unknownCommand } from './errors.ts'

/** What the power over content acts on. */
export interface ContentPowerComponents {
  readonly content: Pick<Content, 'read' | 'list' | 'putBlock'>
  readonly clock: Clock
}

/** Bytes of a file that are read at a time and kept for the next piece. */
const WINDOW_BYTES: number = 4 * 1024 * 1024
/** Bytes one answer carries, as the contract says. */
const READ_BYTES_MAX: number = 32 * 1024
/** Bytes one run of a capsule may add. */
const ADDED_BYTES_MAX: number = 16 * 1024 * 1024
/** How long content may take to come. */
const FETCH_MS_MAX = 60_000

const FOLDER: ContentStat = { type: 'folder', bytes: 0 }

/** What one session of a capsule uses. */
interface Use {
  /** What it read last, so that the next piece need not be found again: a window, and one byte to see whether more follow. */
  last: { readonly key: string; readonly bytes: Promise<Uint8Array> } | undefined
  addedBytes: number
}

/** Content by its CID, for the provider of `content@1`: verified pieces, and small blocks of a capsule's own. */
export function createContentPower(components: ContentPowerComponents): HostPower {
  const reader = new ContentReader(components)
  return {
    contract: 'content@1',
    helps: { get: ['stat'] },
    provider: {
      call: async (request) => {
        switch (request.command) {
          case 'content/get':
            return await reader.get(request)
          case 'content/stat':
            return await reader.stat(request)
          case 'content/add':
            return await reader.add(request, false)
          case 'content/publish':
            return await reader.add(request, true)
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

class ContentReader {
  readonly #components: ContentPowerComponents
  readonly #uses = new Map<string, Use>()

  constructor(components: ContentPowerComponents) {
    this.#components = components
  }

  async get(request: ProviderRequest): Promise<ContentData> {
    const { cid, path = '', offset = 0, length = READ_BYTES_MAX } = request.params as ContentGet
    const use = this.#useOf(request)
    const start = offset - (offset % WINDOW_BYTES)
    const key = `${start} ${cid}/${path}`
    if (use.last?.key !== key) use.last = { key, bytes: this.#read(request, { cid, path, start }, use) }
    const bytes = await use.last.bytes
    const end = Math.min(offset - start + Math.min(length, READ_BYTES_MAX), WINDOW_BYTES)
    const piece = bytes.subarray(offset - start, end)
    const isEnd = offset - start + piece.byteLength >= bytes.byteLength
    return { data: Buffer.from(piece).toString('base64'), isEnd }
  }

  async stat({ params, signal }: ProviderRequest): Promise<ContentStat> {
    const { content, clock } = this.#components
    const { cid, path = '' } = params as ContentName
    return await timed(clock, signal, async (until) => {
      for await (const entry of content.list(CID.parse(cid), path, { signal: until })) {
        // The file itself has no path below what was asked for; a folder begins with the first thing in it.
        return entry.path === '' ? { type: 'file', bytes: entry.bytes ?? 0 } : FOLDER
      }
      return FOLDER
    })
  }

  async add(request: ProviderRequest, isPublic: boolean): Promise<ContentAdded> {
    const { data, name } = request.params as ContentAdd
    const bytes = Uint8Array.from(Buffer.from(data, 'base64'))
    const use = this.#useOf(request)
    if (use.addedBytes + bytes.byteLength > ADDED_BYTES_MAX) {
      throw new PowerError('ERR_CONTENT_TOO_LARGE', `expected at most ${ADDED_BYTES_MAX} bytes of one run`)
    }
    use.addedBytes += bytes.byteLength
    const { cid } = await this.#components.content.putBlock(bytes, {
      codec: 'raw',
      public: isPublic,
      name: name ?? `of ${request.caller.name}`,
      signal: request.signal
    })
    return { cid: cid.toString() }
  }

  /** Not ended by the one call that began it: the next piece waits for the same bytes. */
  #read(
    { sessionSignal }: ProviderRequest,
    { cid, path, start }: { cid: string; path: string; start: number },
    use: Use
  ): Promise<Uint8Array> {
    const { content, clock } = this.#components
    const reading = timed(clock, sessionSignal, async (signal) => {
      const range = { offset: start, length: WINDOW_BYTES + 1 }
      return await content.read(CID.parse(cid), path, { bytesMax: range.length, range, signal })
    })
    reading.catch(() => {
      if (use.last?.bytes === reading) use.last = undefined
    })
    return reading
  }

  #useOf({ sessionId, sessionSignal }: ProviderRequest): Use {
    sessionSignal.throwIfAborted()
    const held = this.#uses.get(sessionId)
    if (held !== undefined) return held
    const use: Use = { last: undefined, addedBytes: 0 }
    this.#uses.set(sessionId, use)
    sessionSignal.addEventListener('abort', () => this.#uses.delete(sessionId), { once: true })
    return use
  }
}

/** Runs a fetch that must come in time, and gives absence one code. */
async function timed<T>(
  clock: Clock,
  signal: AbortSignal,
  task: (signal: AbortSignal) => Promise<T>
): Promise<T> {
  const end = new AbortController()
  const late = new PowerError('ERR_CONTENT_TIME_LIMIT', 'expected the content in time')
  using _limit = clock.after(FETCH_MS_MAX, () => end.abort(late))
  try {
    return await task(AbortSignal.any([signal, end.signal]))
  } catch (thrown) {
    if (end.signal.aborted) throw late
    const code = errorCode(thrown)
    if (code === 'ERR_ENTRY_NOT_FOUND' || code === 'ERR_NOT_A_FILE' || code === 'ERR_NOT_A_FOLDER') {
      throw new PowerError('ERR_PATH_NOT_FOUND', 'expected a file at that path', { cause: thrown })
    }
    throw thrown
  }
}
