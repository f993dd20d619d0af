import { resolve } from 'node:path'
import { buildCapsule, systemPowers } from '#capsule-host'
import { makeRootImage } from '#vmm'
import type { CliContext, CommandInput } from '../context.ts'
import { optionalArgument } from '../input.ts'
import { formatBytes, printResult } from '../output.ts'

/** `elastos capsule build [FOLDER]` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const folder = resolve(context.workingFolder, optionalArgument(input, 'folder') ?? '.')
  const { clock, signal } = context
  const { manifest, entryBytes, isCompiled } = await buildCapsule(
    { powers: systemPowers, clock, makeImage: (image) => makeRootImage(image) },
    { folder, signal }
  )
  const { name, version, entry } = manifest
  await printResult(context, { folder, name, version, entry, entryBytes, isCompiled }, [
    `${name} ${version}: ${entry}, ${formatBytes(entryBytes)}, ${madeHow(manifest.substrate, isCompiled)}`
  ])
}

function madeHow(substrate: string, isMade: boolean): string {
  if (!isMade) return 'checked'
  return substrate === 'microvm' ? 'made' : 'compiled'
}
