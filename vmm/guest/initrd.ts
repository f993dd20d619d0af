import { cpioArchive, type CpioEntry } from '../image/cpio.ts'
import { GUEST_MODULES, builtInModules, moduleDependencies, moduleOrder } from './modules.ts'

/** What a guest's initial file system is made of. */
export interface InitrdInit {
  /** The first process: a program that needs no library. */
  readonly init: Uint8Array
  /** Modules of the kernel's package by name, with underscores. */
  readonly modules: ReadonlyMap<string, Uint8Array>
  /** The package's `modules.builtin`. */
  readonly builtIn: string
}

/**
 * The initial file system of a guest: its first process, and for each kind of channel the modules it needs and their order.
 *
 * @throws VmmError `ERR_VM_GUEST_BUILD` for a kernel that lacks a module
 */
export function guestInitrd({ init, modules, builtIn }: InitrdInit): Uint8Array {
  const dependencies = (name: string): string[] | undefined => {
    const file = modules.get(name)
    return file === undefined ? undefined : moduleDependencies(file)
  }
  const known = { dependencies, builtIn: builtInModules(builtIn) }
  const orders = Object.entries(GUEST_MODULES).map(
    ([kind, wanted]) => [kind, moduleOrder(wanted, known)] as const
  )
  const used = [...new Set(orders.flatMap(([, order]) => order))]
  const folder = (path: string): CpioEntry => ({ kind: 'folder', path })
  return cpioArchive([
    { kind: 'file', path: 'init', isExecutable: true, content: init },
    ...['dev', 'proc', 'sys', 'modules'].map(folder),
    // What the kernel gives its first process as standard streams, before there is a /dev.
    { kind: 'device', path: 'dev/console', major: 5, minor: 1 },
    ...orders.map(([kind, order]): CpioEntry => {
      const list = order.map((name) => `${name}.ko\n`).join('')
      return { kind: 'file', path: `modules/${kind}`, content: Buffer.from(list) }
    }),
    ...used.map((name): CpioEntry => {
      return { kind: 'file', path: `modules/${name}.ko`, content: modules.get(name) ?? new Uint8Array(0) }
    })
  ])
}
