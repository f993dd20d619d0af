import { decodeCanonical, encodeCanonical } from '#did'
import { errorMessage, type Clock, type Logger } from '#contracts'
import { FileError } from '../files/errors.ts'
import { ANCHOR_BYTES_MAX, ANCHOR_DELAY_MS } from './constants.ts'

/** What is known of a vault file outside of it: which one it is, and that it is at least so new. */
export interface VaultAnchor {
  readonly salt: Uint8Array
  readonly generation: number
}

/** Where anchors are kept, durable and apart from the vault, so that an older vault file does not bring an older anchor with it. */
export interface VaultAnchors {
  /** What was put last under the name of a vault file. */
  get(name: string): Promise<VaultAnchor | undefined>
  put(name: string, anchor: VaultAnchor): Promise<void>
  remove(name: string): Promise<void>
}

/** A durable place for a few bytes by key. */
export interface AnchorStore {
  get(key: string): Promise<Uint8Array | undefined>
  write(
    changes: readonly (
      | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
      | { readonly type: 'remove'; readonly key: string }
    )[]
  ): Promise<void>
}

/** Anchors among the keys of a store that has others too. */
export function createVaultAnchors(store: AnchorStore): VaultAnchors {
  const keyOf = (name: string): string => `vault/${name}`
  return {
    get: async (name) => {
      const bytes = await store.get(keyOf(name))
      return bytes === undefined ? undefined : decodeAnchor(bytes)
    },
    put: async (name, { salt, generation }) => {
      const value = encodeCanonical([1, Uint8Array.from(salt), generation])
      await store.write([{ type: 'put', key: keyOf(name), value }])
    },
    remove: async (name) => {
      await store.write([{ type: 'remove', key: keyOf(name) }])
    }
  }
}

function decodeAnchor(bytes: Uint8Array): VaultAnchor {
  const value = decodeCanonical(bytes, { bytesMax: ANCHOR_BYTES_MAX })
  const [version, salt, generation] = Array.isArray(value) ? (value as unknown[]) : []
  if (version !== 1 || !(salt instanceof Uint8Array) || !Number.isSafeInteger(generation)) {
    throw new FileError('ERR_FILE_CORRUPT', 'expected the anchor of a vault file')
  }
  return { salt, generation: generation as number }
}

/** What {@link Anchoring} works with. */
export interface AnchoringComponents {
  readonly anchors: VaultAnchors
  readonly clock: Pick<Clock, 'after'>
  readonly logger: Logger
}

/**
 * Keeps the anchor of one vault file: a moment after it changed, and when it is closed. Not with every change: that would make a
 * third sync of two, for the sake of states no older than that moment.
 */
export class Anchoring {
  readonly #components: AnchoringComponents
  readonly #name: string
  readonly #salt: Uint8Array
  #generation = 0
  #kept = 0
  #timer: Disposable | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(components: AnchoringComponents, { name, salt }: { name: string; salt: Uint8Array }) {
    this.#components = components
    this.#name = name
    this.#salt = salt
  }

  /** The vault file is durable in this generation. */
  note(generation: number): void {
    this.#generation = generation
    this.#timer ??= this.#components.clock.after(ANCHOR_DELAY_MS, () => {
      void this.settle()
    })
  }

  /** Resolves when what was noted is kept, or could not be: then an older anchor holds. */
  async settle(): Promise<void> {
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
    this.#writing = this.#writing.then(async () => {
      const generation = this.#generation
      if (generation <= this.#kept) return
      try {
        await this.#components.anchors.put(this.#name, { salt: this.#salt, generation })
        this.#kept = generation
      } catch (thrown) {
        this.#components.logger.warn('how new a vault file is was not kept', { reason: errorMessage(thrown) })
      }
    })
    await this.#writing
  }
}

/**
 * Holds a vault file, or its absence, against its anchor.
 *
 * @param found - what is there; `undefined` when there is no file
 * @returns why it cannot be what was left there, `undefined` when it can
 */
export function contradiction(
  anchor: VaultAnchor | undefined,
  found: VaultAnchor | undefined
): string | undefined {
  if (anchor === undefined) return undefined
  if (found === undefined) return 'it is gone'
  if (Buffer.compare(found.salt, anchor.salt) !== 0) return 'it is another file'
  return found.generation < anchor.generation ? 'it is older' : undefined
}
