import { commandCovers, resourceCovers } from '#capability'
import { SESSION_DENIALS_MAX } from './constants.ts'

/** What was denied to one run of a capsule, so that it cannot wear its user out by asking again. */
export class SessionDenials {
  readonly #denied: { readonly command: string; readonly resource: string }[] = []
  #isAll = false

  /** Whether it, or something that covers it, was denied. */
  has(command: string, resource: string): boolean {
    return (
      this.#isAll ||
      this.#denied.some(
        (one) => commandCovers(one.command, command) && resourceCovers(one.resource, resource)
      )
    )
  }

  /** Remembers a denial; after {@link SESSION_DENIALS_MAX} the user has said no often enough. */
  add(command: string, resource: string): void {
    this.#denied.push({ command, resource })
    if (this.#denied.length >= SESSION_DENIALS_MAX) this.denyAll()
  }

  /** Whatever it asks for is denied. */
  denyAll(): void {
    this.#isAll = true
    this.#denied.length = 0
  }
}
