/** What a new capsule starts with, in one language. */
export interface Starter {
  /** Where the program starts, relative to the capsule's folder. */
  readonly source: string
  /** The program, for a capsule of that name. */
  text(name: string): string
  /** Other files, by their path. */
  readonly more?: (name: string) => Readonly<Record<string, string>>
  /** One sentence for its author: what is there to know of the language here. */
  readonly note: string
}
