import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ReplicaRootStatus } from '#contracts'
import type { Fleet, Member } from './fleet.ts'
import type { Keeping, Ledger } from './survive-run.ts'

/** How a fleet replicates. */
export interface ReplicatedInit {
  readonly copies: number
  /** What each member gives to others. */
  readonly spaceBytes: number
  /** Whether all are revived before it is looked whether the goals are met: else others have to make new copies. */
  readonly revivesAll: boolean
  /** How long the goals may take to be met again. */
  readonly settleMs: number
}

const MIB = 1024 * 1024
const ASK_EVERY_MS = 500
const LOOK_EVERY_MS = 3_000
/** What a store may take beside what it was given: packs that are not full, blocks whose pin has just gone. */
const DISK_SLACK_BYTES: number = 16 * MIB

/** Each member keeps for all others; what is added has a goal, and is acknowledged when it is met. */
export function replicated(init: ReplicatedInit): Keeping {
  const { copies, spaceBytes, settleMs } = init
  return {
    join: async (member) => {
      const host = `host-${member.number}`
      await member.call('replica.offer', { spaceBytes, volunteer: true, host })
    },
    keep: async ({ member, object: { cid }, signal }) => {
      const owner = member.did
      await member.call('replica.goal', { cid, copies }, signal)
      for (;;) {
        const [root] = (await member.call('replica.status', { cid })).roots
        assert.ok(root !== undefined, 'the goal is not there')
        if (copiesBeside(root, owner) >= copies) return
        await sleep(ASK_EVERY_MS)
        assert.ok(!signal.aborted, describe(root, owner))
      }
    },
    settle: async (fleet, ledger) => {
      if (init.revivesAll) for (const { number } of fleet.members) await fleet.revive(number)
      const startedMs = performance.now()
      for (;;) {
        const missing = await missingCopies(fleet, ledger, copies)
        const tookMs = performance.now() - startedMs
        if (missing.length === 0)
          return `goals met after ${Math.round(tookMs / 1_000)} s, ${await useOf(fleet, spaceBytes)}`
        assert.ok(tookMs < settleMs, `goals not met within ${settleMs} ms: ${missing.join(', ')}`)
        await sleep(LOOK_EVERY_MS)
      }
    }
  }
}

function describe(root: ReplicaRootStatus, owner: string): string {
  const { copiesWanted, taking, candidates } = root
  const held = copiesBeside(root, owner)
  return `${held} of ${copiesWanted} copies, ${taking.length} being made, ${candidates} candidates`
}

function copiesBeside({ copies }: ReplicaRootStatus, owner: string): number {
  return copies.filter(({ holder }) => holder !== owner).length
}

/** What has too few copies on members that are up, by what each says that it has itself. */
async function missingCopies(fleet: Fleet, ledger: Ledger, copies: number): Promise<string[]> {
  const holders = new Map<string, string[]>()
  for (const member of fleet.members.filter(({ isUp }) => isUp)) {
    for (const cid of await heldBy(member)) holders.set(cid, [...(holders.get(cid) ?? []), member.did])
  }
  const counted = ledger.acknowledged.map(({ number, cid, owner }) => {
    const count = (holders.get(cid) ?? []).filter((did) => did !== owner).length
    return { number, count }
  })
  return counted.filter(({ count }) => count < copies).map(({ number, count }) => `${number} has ${count}`)
}

async function heldBy(member: Member): Promise<string[]> {
  const { roots, isCut } = await member.call('replica.status', {})
  assert.equal(isCut, false, 'more roots than one answer lists')
  return roots.filter(({ copies }) => copies.some(({ isThis }) => isThis)).map(({ cid }) => cid)
}

/** Asserts that nobody gave more than it offered, by its own word and by its disk. */
async function useOf(fleet: Fleet, spaceBytes: number): Promise<string> {
  let most = 0
  for (const member of fleet.members.filter(({ isUp }) => isUp)) {
    const { usedBytes } = await member.call('replica.quota', {})
    const { bytesOnDisk } = await member.call('repo.stat', {})
    const { roots } = await member.call('replica.status', {})
    const ownBytes = roots.filter(({ isOwn }) => isOwn).reduce((sum, { bytes }) => sum + bytes, 0)
    assert.ok(usedBytes <= spaceBytes, `member ${member.number} keeps ${usedBytes} bytes of ${spaceBytes}`)
    const given = bytesOnDisk - ownBytes
    assert.ok(
      given <= spaceBytes + DISK_SLACK_BYTES,
      `${bytesOnDisk} bytes are on the disk of member ${member.number}, ${ownBytes} of them its own`
    )
    most = Math.max(most, usedBytes)
  }
  return `at most ${(most / MIB).toFixed(1)} MiB of ${(spaceBytes / MIB).toFixed(0)} given`
}
