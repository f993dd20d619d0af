import type { ClientState } from 'ts-mls'
import type { Did } from '#did'
import { BRANCHES_MAX, EPOCHS_NAMED_MAX, FORK_WINDOW_MS, LATE_MESSAGES_MS } from './constants.ts'
import { forReadingOnly } from './group.ts'

/** One epoch of a conversation: what a commit led to. Two commits on one parent are a fork. */
export interface Branch {
  /** Its name: the SHA-256 of the commit, as hexadecimal digits. */
  readonly tip: string
  /** The epoch that the commit ended; absent where this device entered. */
  readonly parent?: string
  /** Where this device entered: names of the epochs before, newest first, as whoever took it in told. Nobody vouches for them. */
  readonly before?: readonly string[]
  /** The device that made the commit. */
  readonly by: Did
  /** References of the prekeys it took in. */
  readonly added: readonly string[]
  /** Devices it took out. */
  readonly removed: readonly Did[]
  readonly learnedAtMs: number
  /** When it stopped being the newest. */
  readonly supersededAtMs?: number
  /** Absent when its keys are not kept any more. */
  readonly state?: ClientState
  /** Whether its state has what commits need, or only what late messages need. */
  readonly isWhole: boolean
}

/** The epochs of a conversation that this device knows, by name. */
export type Branches = ReadonlyMap<string, Branch>

/**
 * The newest epoch by the rule that settles forks, which gives every device that knows the same commits the same one. From
 * `root` on, at each epoch with several commits: a commit whose author another of them takes out gives way, unless its
 * author is taken out in turn; of the rest, the one with the smallest SHA-256 goes on. Of authors who take out each other,
 * one that is denied or revoked here gives way.
 */
export function chooseTip(
  branches: Branches,
  root: string,
  isAllowed: (device: Did) => boolean = () => true
): string {
  let tip = root
  for (;;) {
    const children = [...branches.values()].filter(({ parent }) => parent === tip)
    const next = settleFork(children, isAllowed)
    if (next === undefined) return tip
    tip = next.tip
  }
}

/** Which of several commits on one parent counts. */
export function settleFork(
  siblings: readonly Branch[],
  isAllowed: (device: Did) => boolean = () => true
): Branch | undefined {
  const isRemovedBy = (one: Branch, other: Branch): boolean => other.removed.includes(one.by)
  const standing = siblings.filter(
    (one) => !siblings.some((other) => isRemovedBy(one, other) && !isRemovedBy(other, one))
  )
  const left = standing.length > 0 ? standing : siblings
  const isContested = (one: Branch): boolean => left.some((other) => isRemovedBy(one, other))
  const rightful = left.filter((one) => !isContested(one) || isAllowed(one.by))
  const candidates = rightful.length > 0 ? rightful : left
  return [...candidates].sort((one, other) => (one.tip < other.tip ? -1 : 1))[0]
}

/** The names from `tip` back to the oldest that is known. */
export function chainOf(branches: Branches, tip: string): readonly string[] {
  const chain: string[] = []
  for (let at: string | undefined = tip; at !== undefined && branches.has(at);) {
    if (chain.includes(at)) break
    chain.push(at)
    at = branches.get(at)?.parent
  }
  return chain
}

/** {@link chainOf}, and what this device was told of the epochs before it entered: at most 64. */
export function namesOf(branches: Branches, tip: string): readonly string[] {
  const chain = chainOf(branches, tip)
  const before = branches.get(chain.at(-1) ?? '')?.before ?? []
  return [...chain, ...before].slice(0, EPOCHS_NAMED_MAX)
}

/**
 * Forgets what is not needed any more: whole states past the time in which forks are settled, states past the time of late
 * messages, names past their number. The same map when there was nothing to forget.
 */
export function forgetOld(
  branches: Branches,
  { tip, root, nowMs }: { readonly tip: string; readonly root: string; readonly nowMs: number }
): { readonly branches: Branches; readonly root: string } {
  const chain = chainOf(branches, tip).slice(0, EPOCHS_NAMED_MAX)
  const newest = [...branches.values()]
    .filter(({ state }) => state !== undefined)
    .sort((one, other) => other.learnedAtMs - one.learnedAtMs)
    .slice(0, BRANCHES_MAX)
  const kept = new Map<string, Branch>()
  let isChanged = false
  for (const branch of branches.values()) {
    const next = branch.tip === tip ? branch : aged(branch, { nowMs, mayKeep: newest.includes(branch) })
    // Losing branches go with their state, so that no name is waited for in vain; the chain is bounded.
    const isNamed = chain.includes(branch.tip) || next.state !== undefined
    if (isNamed) kept.set(branch.tip, next)
    isChanged ||= !isNamed || next !== branch
  }
  if (!isChanged) return { branches, root }
  return { branches: kept, root: kept.has(root) ? root : (chain.at(-1) ?? tip) }
}

function aged(branch: Branch, { nowMs, mayKeep }: { nowMs: number; mayKeep: boolean }): Branch {
  const { state, ...rest } = branch
  if (state === undefined) return branch
  const age = nowMs - (branch.supersededAtMs ?? branch.learnedAtMs)
  if (!mayKeep || age >= LATE_MESSAGES_MS) return { ...rest, isWhole: false }
  if (branch.isWhole && age >= FORK_WINDOW_MS)
    return { ...branch, state: forReadingOnly(state), isWhole: false }
  return branch
}
