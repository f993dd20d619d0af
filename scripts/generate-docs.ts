import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generatedDocuments } from './docs/generated.ts'
import { ROOT } from './docs/sources.ts'

/** `npm run docs`: writes the generated parts of the documents anew, from the sources. */
for (const { path, now, wanted } of await generatedDocuments()) {
  if (now === wanted) continue
  writeFileSync(join(ROOT, path), wanted)
  console.log(`docs: ${path}`)
}
