import { CapsuleError } from '../errors.ts'
import { isCapsuleName, type CapsuleLanguage } from '../manifest.ts'
import type { HostPowers } from '../powers.ts'
import { printable } from '../text.ts'
import { machineTemplateFiles, templateFiles, type CapsuleType } from './template.ts'

/** What {@link newCapsule} wrote. */
export interface NewCapsule {
  readonly folder: string
  /** Relative to the folder. */
  readonly files: readonly string[]
}

/**
 * Writes the sources of a new capsule, in TypeScript unless another language or a microVM is named, into `folder`, which must not
 * exist.
 *
 * @throws CapsuleError `ERR_MANIFEST_INVALID` for a name no manifest may have, `ERR_CAPSULE_EXISTS` when there is
 * something at `folder`
 */
export async function newCapsule(
  powers: Pick<HostPowers, 'makeFolder' | 'writeNewFile'>,
  init: {
    name: string
    folder: string
    type?: CapsuleType | undefined
    /** Of WebAssembly. */
    language?: CapsuleLanguage | undefined
  }
): Promise<NewCapsule> {
  const { name, folder, type = 'wasm', language = 'typescript' } = init
  if (!isCapsuleName(name)) {
    throw new CapsuleError(
      'ERR_MANIFEST_INVALID',
      `expected a name of lower-case letters, digits and single hyphens, got ${JSON.stringify(printable(name, 80))}`
    )
  }
  try {
    await powers.makeFolder(folder)
  } catch (cause) {
    throw new CapsuleError(
      'ERR_CAPSULE_EXISTS',
      `expected to make the new folder ${printable(folder, 400)}`,
      { cause }
    )
  }
  const files = type === 'microvm' ? machineTemplateFiles(name) : templateFiles(name, language)
  for (const file of files) {
    const slash = file.path.lastIndexOf('/')
    if (slash !== -1) await powers.makeFolder(`${folder}/${file.path.slice(0, slash)}`, { isShared: true })
    await powers.writeNewFile(`${folder}/${file.path}`, file.text)
  }
  return { folder, files: files.map((file) => file.path) }
}
