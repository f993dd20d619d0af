import { cp, readdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT } from '../support/cli.ts'
import { createTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts'

/** What a program needs of a checkout to run from its sources; packages are those of this one. */
const LEFT_OUT = new Set(['node_modules', 'dist', 'coverage', 'test', 'docs', 'bench', 'scripts'])

/** Another checkout of these sources: the same files in a folder of its own, somewhere else. */
export async function createOtherCheckout(): Promise<TemporaryFolder> {
  const folder = await createTemporaryFolder('elastos-another-checkout-with-a-longer-name-')
  for (const entry of await readdir(ROOT, { withFileTypes: true })) {
    const { name } = entry
    if (name.startsWith('.') || LEFT_OUT.has(name) || !(entry.isDirectory() || name === 'package.json'))
      continue
    await cp(join(ROOT, name), join(folder.path, name), { recursive: true })
  }
  await symlink(join(ROOT, 'node_modules'), join(folder.path, 'node_modules'))
  return folder
}
