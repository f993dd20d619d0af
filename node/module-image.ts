import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { CapsuleError, type HostPowers, type ModuleRuntime } from '#capsule-host'
import type { Clock } from '#contracts'
import { erofsImage, systemImagePowers, type ImageEntry } from '#vmm'
import type { DataPaths } from './data-folder.ts'
import { keepUsed, writeWhole } from './powers.ts'

/** What {@link makeModuleImage} works with. */
export interface ModuleImageComponents {
  readonly paths: Pick<DataPaths, 'machines'>
  readonly powers: Pick<HostPowers, 'fileBytes' | 'resolvePath'>
  /** SHA-256 of a file in hexadecimal digits; `undefined` when it cannot be read. */
  readonly hashFile: (path: string) => Promise<string | undefined>
  readonly clock: Pick<Clock, 'nowMs'>
}

/** Images with another Node or another guest script that stay: what was updated may be gone back from. */
const IMAGES_KEPT_MAX = 2
const MOUNT_POINTS = ['dev', 'proc', 'tmp'] as const

/** Where these images lie: not beside those of capsules, which come and go, while one of these is used by all. */
export function moduleImageFolder(paths: ModuleImageComponents['paths']): string {
  return join(paths.machines, 'modules')
}

/**
 * Makes the root image of machines in which modules run: this Node, what it is linked with and the guest script. What lies there
 * already is taken when it is the very same.
 *
 * @returns where it lies
 */
export async function makeModuleImage(
  { paths, powers, hashFile, clock }: ModuleImageComponents,
  runtime: ModuleRuntime
): Promise<string> {
  const entries = await imageEntries(powers, runtime)
  const hash = createHash('sha256')
  for await (const chunk of erofsImage(entries)) hash.update(chunk)
  const digest = hash.digest('hex')
  const path = join(moduleImageFolder(paths), `${digest}.erofs`)
  if ((await hashFile(path)) !== digest) await writeWhole(path, erofsImage(entries))
  await keepUsed(path, { filesMax: IMAGES_KEPT_MAX, nowMs: clock.nowMs() })
  return path
}

async function imageEntries(
  powers: ModuleImageComponents['powers'],
  { files, script }: ModuleRuntime
): Promise<ImageEntry[]> {
  const text = Buffer.from(script.text)
  const found = files.map(async ({ source, target }): Promise<ImageEntry> => {
    const path = await powers.resolvePath(source)
    const bytes = path === undefined ? undefined : await powers.fileBytes(path)
    if (path === undefined || bytes === undefined) {
      throw new CapsuleError('ERR_SANDBOX_UNAVAILABLE', `expected the file ${source} of Node, got none`)
    }
    const content = (): AsyncIterable<Uint8Array> => systemImagePowers.readFile(path)
    return { kind: 'file', path: target.slice(1), bytes, isExecutable: true, content }
  })
  return [
    ...MOUNT_POINTS.map((path) => ({ kind: 'folder', path }) as const),
    ...(await Promise.all(found)),
    {
      kind: 'file',
      path: script.target.slice(1),
      bytes: text.byteLength,
      isExecutable: false,
      content: () => [text]
    }
  ]
}
