import { RoomError } from '../errors.ts'
import type { RoomStoreChange } from '../store.ts'
import { FORK_WINDOW_MS, PREKEYS_COUNT, PREKEYS_LOW, PREKEYS_MAX, PREKEY_LIFETIME_MS } from './constants.ts'
import { createPrekey, type OwnPrekey } from './prekeys.ts'
import { encodeOwnPrekey, loadPrekeys } from './record.ts'
import type { Suite } from './suite.ts'
import type { Vault } from './vault.ts'

/** The prekeys of this device: those it gives out, and for a short time those it was taken in by. */
export interface PrekeyStock {
  /** The prekey that one of `refs` names, if its secrets are still kept. */
  find(refs: readonly string[]): OwnPrekey | undefined
  /** Marks a prekey used, and the change that stores it; {@link PrekeyStock.adopt} makes it so here. */
  used(prekey: OwnPrekey, nowMs: number): { readonly prekey: OwnPrekey; readonly change: RoomStoreChange }
  adopt(prekey: OwnPrekey): void
  /** Makes what is missing and forgets what is over, stored when this resolves. True when something new is to be published. */
  replenish(nowMs: number): Promise<boolean>
  /** A prekey for one certain group, not published. @throws RoomError `ERR_PRIVATE_FULL` */
  make(nowMs: number): Promise<OwnPrekey>
  /** What is to be published: one-use prekeys, then the last resort. */
  published(): readonly Uint8Array[]
}

/** Opens the stock in the vault. */
export async function openPrekeyStock(suite: Suite, vault: Vault): Promise<PrekeyStock> {
  const prekeys = new Map((await loadPrekeys(vault)).map((prekey) => [prekey.ref, prekey]))
  const unpublished = new Set<string>()
  const fresh = (): readonly OwnPrekey[] =>
    [...prekeys.values()].filter(({ ref, usedAtMs }) => usedAtMs === undefined && !unpublished.has(ref))
  const create = async (nowMs: number, isLastResort: boolean): Promise<OwnPrekey> => {
    const prekey = await createPrekey(suite, { nowMs, isLastResort })
    await vault.write([vault.change(`p/${prekey.ref}`, encodeOwnPrekey(prekey))])
    prekeys.set(prekey.ref, prekey)
    return prekey
  }
  const drop = async (refs: readonly string[]): Promise<void> => {
    await vault.write(refs.map((ref) => vault.change(`p/${ref}`, undefined)))
    for (const ref of refs) {
      prekeys.delete(ref)
      unpublished.delete(ref)
    }
  }
  const forget = async (nowMs: number): Promise<void> => {
    const gone = [...prekeys.values()].filter((prekey) => isOver(prekey, nowMs))
    await drop(gone.map(({ ref }) => ref))
  }
  return {
    find: (refs) => refs.map((ref) => prekeys.get(ref)).find((prekey) => prekey !== undefined),
    used: (prekey, nowMs) => {
      const next = prekey.isLastResort ? prekey : { ...prekey, usedAtMs: prekey.usedAtMs ?? nowMs }
      return { prekey: next, change: vault.change(`p/${next.ref}`, encodeOwnPrekey(next)) }
    },
    adopt: (prekey) => {
      prekeys.set(prekey.ref, prekey)
    },
    replenish: async (nowMs) => {
      await forget(nowMs)
      const oneUse = fresh().filter(
        ({ isLastResort, expiresAtMs }) => !isLastResort && isYoung(expiresAtMs, nowMs)
      )
      const hasLast = fresh().some(
        ({ isLastResort, expiresAtMs }) => isLastResort && isYoung(expiresAtMs, nowMs)
      )
      const isLow = oneUse.length < PREKEYS_LOW
      if (!isLow && hasLast) return false
      for (let count = oneUse.length; isLow && count < PREKEYS_COUNT; count++) await create(nowMs, false)
      if (!hasLast) await create(nowMs, true)
      return true
    },
    make: async (nowMs) => {
      if (prekeys.size >= PREKEYS_MAX) await forget(nowMs + FORK_WINDOW_MS)
      // Whoever makes us answer again and again does not use them up: the oldest that was made for a group gives way.
      const [oldest] = unpublished
      if (prekeys.size >= PREKEYS_MAX && oldest !== undefined) await drop([oldest])
      if (prekeys.size >= PREKEYS_MAX)
        throw new RoomError('ERR_PRIVATE_FULL', `expected at most ${PREKEYS_MAX} prekeys`)
      const prekey = await create(nowMs, false)
      unpublished.add(prekey.ref)
      return prekey
    },
    published: () => publishable(fresh())
  }
}

/** The newest one-use prekeys, then the last resort. */
function publishable(fresh: readonly OwnPrekey[]): readonly Uint8Array[] {
  const newestFirst = [...fresh].sort((one, other) => other.expiresAtMs - one.expiresAtMs)
  const oneUse = newestFirst.filter(({ isLastResort }) => !isLastResort).slice(0, PREKEYS_COUNT)
  const last = newestFirst.filter(({ isLastResort }) => isLastResort).slice(0, 1)
  return [...oneUse, ...last].map(({ bytes }) => bytes)
}

/** Used ones stay for as long as a fork may make the same welcome anew. */
function isOver({ usedAtMs, expiresAtMs }: OwnPrekey, nowMs: number): boolean {
  return expiresAtMs <= nowMs || (usedAtMs !== undefined && nowMs - usedAtMs >= FORK_WINDOW_MS)
}

function isYoung(expiresAtMs: number, nowMs: number): boolean {
  return expiresAtMs - nowMs > PREKEY_LIFETIME_MS / 2
}
