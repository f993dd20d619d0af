import { BaseDatastore } from 'datastore-core'
import type { Pair, Query, KeyQuery } from 'interface-datastore'
import { Key } from 'interface-datastore/key'
import { NotFoundError } from 'interface-store'

/** A store in memory, in which keys that a query does not ask for cost next to nothing, as in the database of a node. */
export class MemoryStore extends BaseDatastore {
  readonly #values = new Map<string, Uint8Array>()

  override put(key: Key, value: Uint8Array): Key {
    this.#values.set(key.toString(), value)
    return key
  }

  /** @throws NotFoundError when there is nothing under the key */
  override get(key: Key): Uint8Array {
    const value = this.#values.get(key.toString())
    if (value === undefined) throw new NotFoundError()
    return value
  }

  override has(key: Key): boolean {
    return this.#values.has(key.toString())
  }

  override delete(key: Key): void {
    this.#values.delete(key.toString())
  }

  override *_all({ prefix = '' }: Query): Generator<Pair> {
    for (const [text, value] of this.#values) {
      if (text.startsWith(prefix)) yield { key: new Key(text, false), value }
    }
  }

  override *_allKeys({ prefix = '' }: KeyQuery): Generator<Key> {
    for (const text of this.#values.keys()) if (text.startsWith(prefix)) yield new Key(text, false)
  }
}
