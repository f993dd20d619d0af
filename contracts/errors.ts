/** Options of every {@link CodedError}. */
export interface CodedErrorOptions {
  /** What went wrong underneath, kept for the log and never shown to a capsule or a peer. */
  cause?: unknown
}

/**
 * An error a caller can act on: a stable `code` to branch on and one lower-case sentence for a person, saying
 * what was expected and what came. Each folder has one subclass whose `C` is the union of its codes.
 */
export abstract class CodedError<C extends string = string> extends Error {
  readonly code: C

  constructor(code: C, message: string, options: CodedErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.name = new.target.name
  }
}

/** The code of any thrown value, or `undefined` when it has none. */
export function errorCode(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return undefined
  return typeof thrown.code === 'string' ? thrown.code : undefined
}

/** What an operation on a file resolves with; `undefined` when there is no such file. */
export async function unlessMissing<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation
  } catch (thrown) {
    if (errorCode(thrown) === 'ENOENT') return undefined
    throw thrown
  }
}

/** The sentence of any thrown value. */
export function errorMessage(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** What mends it, or what a compiler said: the lines an error carries for a person, if any. */
export function errorDetail(thrown: unknown): readonly string[] {
  if (typeof thrown !== 'object' || thrown === null || !('detail' in thrown)) return []
  const { detail } = thrown
  return Array.isArray(detail) ? detail.filter((line) => typeof line === 'string') : []
}
