import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectFiles } from './project-files.ts'
import { ROOT } from './sources.ts'
import { TABLES } from './tables.ts'

/** A document with generated parts: as it is, and as it should be. */
export interface GeneratedDocument {
  readonly path: string
  readonly now: string
  readonly wanted: string
}

const SECTION = /<!-- generated: (?<name>[a-z]+) -->\n[^]*?<!-- end of generated -->/g

/**
 * Every Markdown file with generated parts, with these parts written anew.
 *
 * @throws Error when a document asks for a table that nobody writes
 */
export async function generatedDocuments(): Promise<GeneratedDocument[]> {
  const documents: GeneratedDocument[] = []
  for (const path of projectFiles().filter((file) => file.endsWith('.md'))) {
    const now = readFileSync(join(ROOT, path), 'utf8')
    const names = [...now.matchAll(SECTION)].map((match) => match.groups?.['name'] ?? '')
    if (names.length === 0) continue
    const tables = new Map<string, string>()
    for (const name of names) {
      const write = TABLES[name]
      if (write === undefined)
        throw new Error(`${path}: expected one of ${Object.keys(TABLES).join(', ')}; got ${name}`)
      tables.set(name, await write())
    }
    const wanted = now.replace(
      SECTION,
      (_, name: string) =>
        `<!-- generated: ${name} -->\n\n${tables.get(name) ?? ''}\n\n<!-- end of generated -->`
    )
    documents.push({ path, now, wanted })
  }
  return documents
}
