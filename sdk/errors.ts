/** What a capsule asked for was refused or failed. The code says why: one of the runtime's, or of the provider's contract. */
export class CapsuleCallError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.name = 'CapsuleCallError'
    this.code = code
  }
}

/** The code of an error a provider capsule throws on purpose, so that its caller learns it; its contract lists it. */
export class ProviderError extends Error {
  readonly code: string

  constructor(code: string, message: string = code) {
    super(message)
    this.name = 'ProviderError'
    this.code = code
  }
}

/** The code of anything thrown, if it has one. */
export function codeOf(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return undefined
  return typeof thrown.code === 'string' ? thrown.code : undefined
}
