import { Key } from 'interface-datastore'
import type { Datastore } from 'interface-datastore'
import { createTurns } from '#contracts'

/** The parts of a datastore that a shelf uses. */
export type ShelfDatastore = Pick<Datastore, 'get' | 'put' | 'has' | 'delete' | 'queryKeys'>

/** A bounded part of a datastore. */
export interface Shelf {
  get(name: string): Promise<Uint8Array | undefined>
  /** On disk when this resolves. @throws what `full` makes when the name is new and there is no room for it */
  put(name: string, value: Uint8Array): Promise<void>
  delete(name: string): Promise<void>
  /** The names of everything in it. */
  names(): Promise<string[]>
}

/** Where a shelf is and what it holds at most. */
export interface ShelfInit {
  /** Begins and ends with a slash. */
  readonly prefix: string
  readonly sizeMax: number
  /** The error for one name too many. */
  readonly full: (sizeMax: number) => Error
}

/** A shelf in `datastore`; nobody else may write below its prefix. Names have no empty parts between slashes. */
export function createShelf(datastore: ShelfDatastore, { prefix, sizeMax, full }: ShelfInit): Shelf {
  const turns = createTurns()
  let size: Promise<number> | undefined
  const keyOf = (name: string): Key => new Key(prefix + name)
  const names = async (): Promise<string[]> => {
    const found: string[] = []
    for await (const key of datastore.queryKeys({ prefix })) found.push(key.toString().slice(prefix.length))
    return found
  }
  const makeRoom = async (): Promise<void> => {
    const held = await (size ??= names().then(({ length }) => length))
    if (held >= sizeMax) throw full(sizeMax)
    size = Promise.resolve(held + 1)
  }
  return {
    get: async (name) => ((await datastore.has(keyOf(name))) ? await datastore.get(keyOf(name)) : undefined),
    put: (name, value) =>
      turns.take('write', async () => {
        if (!(await datastore.has(keyOf(name)))) await makeRoom()
        await datastore.put(keyOf(name), value)
      }),
    delete: (name) =>
      turns.take('write', async () => {
        await datastore.delete(keyOf(name))
        size = undefined
      }),
    names
  }
}
