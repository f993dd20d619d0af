import * as z from 'zod'
import { parseDid, type Did } from '#did'
import { KNOWN_SEEDS_BYTES_MAX, KNOWN_SEEDS_MAX } from './constants.ts'
import { BootstrapError } from './errors.ts'
import { createPrivateJson, type PrivateJsonComponents } from './private-json.ts'

/** The seeds a person confirmed or pinned: who signs at which URL. */
export interface KnownSeeds {
  /** Who signed at `url` before; `undefined` when it was never met. */
  didOf(url: string): Did | undefined
  /**
   * Remembers who signs at `url`, durably when it resolves.
   *
   * @throws BootstrapError `ERR_KNOWN_SEEDS_FULL`, DidError an `ERR_FILE_…` code
   */
  remember(url: string, did: Did): Promise<void>
  /** Forgets a seed, so that it is confirmed anew; whether it was known. */
  forget(url: string): Promise<boolean>
  /** Every known seed, by URL. */
  list(): { url: string; did: Did }[]
}

interface KnownSeedsFile {
  readonly version: 1
  readonly seeds: Readonly<Record<string, string>>
}

const schema: z.ZodType<KnownSeedsFile> = z.strictObject({
  version: z.literal(1),
  seeds: z.record(z.string().max(512), z.string().max(128))
})

/**
 * Opens the known seeds at `path`, a file of mode 0600; none when there is no file.
 *
 * @throws BootstrapError `ERR_KNOWN_SEEDS_CORRUPT` rather than take every seed for a new one, DidError an
 * `ERR_FILE_…` code
 */
export async function openKnownSeeds(components: PrivateJsonComponents, path: string): Promise<KnownSeeds> {
  const corrupt = (cause: unknown): BootstrapError =>
    new BootstrapError(
      'ERR_KNOWN_SEEDS_CORRUPT',
      `expected the remembered seeds at ${path}, got something else; move it away to meet every seed anew`,
      { cause }
    )
  const file = createPrivateJson(components, { path, schema, bytesMax: KNOWN_SEEDS_BYTES_MAX, corrupt })
  const didByUrl = new Map<string, Did>()
  for (const [url, did] of Object.entries((await file.read())?.seeds ?? {})) {
    try {
      didByUrl.set(url, parseDid(did))
    } catch (cause) {
      throw corrupt(cause)
    }
  }
  const save = async (): Promise<void> => {
    await file.write({ version: 1, seeds: Object.fromEntries(didByUrl) })
  }
  return {
    didOf: (url) => didByUrl.get(url),
    remember: async (url, did) => {
      if (didByUrl.get(url) === did) return
      if (!didByUrl.has(url) && didByUrl.size >= KNOWN_SEEDS_MAX) {
        throw new BootstrapError(
          'ERR_KNOWN_SEEDS_FULL',
          `expected at most ${KNOWN_SEEDS_MAX} remembered seeds`
        )
      }
      didByUrl.set(url, did)
      await save()
    },
    forget: async (url) => {
      const wasKnown = didByUrl.delete(url)
      if (wasKnown) await save()
      return wasKnown
    },
    list: () => [...didByUrl].map(([url, did]) => ({ url, did })).sort((a, b) => (a.url < b.url ? -1 : 1))
  }
}
