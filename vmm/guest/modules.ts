import { VmmError } from '../errors.ts'

/** Modules of the kernel that a guest needs for its disks, its image, and each kind of channel. */
export const GUEST_MODULES = {
  port: ['virtio_mmio', 'virtio_console', 'virtio_blk', 'erofs'],
  vsock: ['virtio_mmio', 'virtio_pci', 'vmw_vsock_virtio_transport', 'virtio_blk', 'erofs'],
  console: ['virtio_pci', 'virtio_console', 'virtio_blk', 'erofs']
} as const

/**
 * `wanted` and what they depend on, in an order in which they can be loaded. A module that the kernel has built in is left out.
 *
 * @param dependencies - what a module says it depends on; `undefined` when there is no such file
 * @param builtIn - names of modules that the kernel has built in
 * @throws VmmError `ERR_VM_GUEST_BUILD` for a module that is neither there nor built in
 */
export function moduleOrder(
  wanted: readonly string[],
  {
    dependencies,
    builtIn
  }: { dependencies(name: string): readonly string[] | undefined; builtIn: ReadonlySet<string> }
): string[] {
  const ordered = new Set<string>()
  const add = (name: string, path: readonly string[]): void => {
    if (ordered.has(name) || builtIn.has(name)) return
    const needed = path.includes(name) ? undefined : dependencies(name)
    if (needed === undefined) {
      throw new VmmError('ERR_VM_GUEST_BUILD', `expected a kernel with the module ${name}, it has none`)
    }
    for (const one of needed) add(one, [...path, name])
    ordered.add(name)
  }
  for (const name of wanted) add(name, [])
  return [...ordered]
}

/** What a module says in its own file that it depends on. */
export function moduleDependencies(file: Uint8Array): string[] {
  const text = Buffer.from(file.buffer, file.byteOffset, file.byteLength).toString('latin1')
  const names = /\0depends=([\w,-]*)\0/.exec(text)?.[1] ?? ''
  return names === '' ? [] : names.split(',')
}

/** Names of what `modules.builtin` lists: a path of a file a line. */
export function builtInModules(list: string): Set<string> {
  return new Set([...list.matchAll(/([^/\n]+)\.ko$/gm)].map((match) => (match[1] ?? '').replaceAll('-', '_')))
}
