/** A change of the store. */
export type StoreChange =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'remove'; readonly key: string }

/** Keys of a range, both ends included. */
export interface StoreRange {
  readonly from: string
  readonly to: string
  /** The last first. */
  readonly isReversed?: boolean
  readonly limit?: number
}

/**
 * Where the authority keeps what it must not forget: ordered keys, and changes that happen together or not at all. One
 * process at a time.
 */
export interface AuthorityStore extends AsyncDisposable {
  get(key: string): Promise<Uint8Array | undefined>
  /** What was there when it began. */
  entries(range: StoreRange): AsyncIterable<readonly [key: string, value: Uint8Array]>
  /** Makes all changes or none; resolves when a power cut no longer undoes them. */
  write(changes: readonly StoreChange[]): Promise<void>
  /** What {@link writeMark} wrote last, as far as it is still there. */
  readMark(): Promise<Uint8Array | undefined>
  /** Keeps a few bytes apart from everything else, so that an older copy of the rest does not bring older bytes with it. */
  writeMark(bytes: Uint8Array): Promise<void>
  /** Puts everything aside, where its owner can still look at it, and is empty; for a store that is damaged. */
  setAside(): Promise<void>
}

/** Keys of the store. Numbers are 12 hexadecimal digits, so that they are in order. */
export const STORE_KEYS = {
  entry: (number: number): string => `entry/${ordered(number)}`,
  snapshot: (number: number): string => `snapshot/${ordered(number)}`,
  checkpoint: (number: number): string => `checkpoint/${ordered(number)}`,
  head: 'head'
} as const

/** The greatest number a key can hold. */
export const LAST_NUMBER: number = 16 ** 12 - 1

function ordered(number: number): string {
  return number.toString(16).padStart(12, '0')
}
