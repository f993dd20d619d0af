import assert from 'node:assert/strict'
import { openFrame, tipOf, type Frame } from '../../../../rooms/private/frame.ts'
import { forkAndMeet } from '../../../support/private-forks.ts'
import { createPrivateWorld, type PrivateDevice, type PrivateWorld } from '../../../support/private-party.ts'

const { signal } = new AbortController()
/** Which of two commits counts is a matter of their hashes: several worlds, for both to happen. */
const WORLDS = 8
const SOON_MS = 30_000

interface Party {
  readonly world: PrivateWorld
  readonly group: string
  readonly founder: PrivateDevice
  readonly other: PrivateDevice
  readonly newcomer: PrivateDevice
  /** Frames of a kind that went from one to another. */
  readonly sent: (from: PrivateDevice, to: PrivateDevice, kind: Frame['kind']) => readonly Frame[]
}

/** Two members who do not hear each other take the same person in, the founder `'first'` or `'last'`. */
async function takeInTwice(world: PrivateWorld, founderIs: 'first' | 'last'): Promise<Party> {
  const [founder, other, newcomer] = [
    await world.device(world.person()),
    await world.device(world.person()),
    await world.device(world.person())
  ]
  const sent: Party['sent'] = (from, to, kind) =>
    world.wire
      .filter((frame) => frame.from === from.did && frame.to === to.did)
      .map(({ bytes }) => openFrame(bytes))
      .filter((frame) => frame.kind === kind)
  const { group } = await founder.rooms.createRoom('plans')
  await founder.rooms.invite(group, other.person.did, { signal })
  await world.until(() => other.rooms.list().length === 1)
  const apart = [founder.did, other.did]
  world.mayPass = (from, to) => !(apart.includes(from) && apart.includes(to))
  for (const one of founderIs === 'first' ? [founder, other] : [other, founder]) {
    await one.rooms.invite(group, newcomer.person.did, { signal })
    await world.until(() => sent(one, newcomer, 'welcome').length === 1)
  }
  return { world, group, founder, other, newcomer, sent }
}

/** Those two settle it between them, and speak. */
async function settleAndSpeak(seed: number): Promise<void> {
  await using world = createPrivateWorld(seed)
  const { group, founder, other, newcomer, sent } = await takeInTwice(world, 'first')
  const epochOf = async (from: PrivateDevice, to: PrivateDevice, text: string): Promise<unknown> => {
    await from.rooms.say(group, text)
    await world.until(() => to.texts().includes(text))
    const last = sent(from, to, 'message').at(-1)
    return last !== undefined && 'tip' in last ? last.tip : undefined
  }
  // without the newcomer, who then hears of no commit that it does not know
  newcomer.isOnline = false
  world.mayPass = () => true
  await epochOf(founder, other, 'back')
  await epochOf(other, founder, 'back too')
  await world.pass(SOON_MS)
  newcomer.isOnline = true
  const theirs = await epochOf(founder, newcomer, 'welcome')
  assert.equal(await epochOf(newcomer, founder, 'here'), theirs)
}

describe('a private room that forks', function () {
  this.timeout(120_000)

  it('is spoken in by whom two took in at once in the epoch that both settled on', async () => {
    for (let seed = 1; seed <= WORLDS; seed++) {
      await settleAndSpeak(seed).catch((error: unknown) => assert.fail(`seed ${seed}: ${String(error)}`))
    }
  })

  it('is not followed to where somebody is who was taken out, however much they do there', async () => {
    await using world = createPrivateWorld(7)
    const { group, founder, other, newcomer, sent } = await takeInTwice(world, 'last')
    await founder.rooms.remove(group, other.person.did)
    const membersOf = (): number | undefined =>
      newcomer.rooms.list().find((one) => one.group === group)?.members.length
    await world.until(() => membersOf() === 2)
    for (let count = 1; count <= 3; count++) {
      const friend = await world.device(world.person())
      await other.rooms.invite(group, friend.person.did, { signal })
      await world.until(() => sent(other, newcomer, 'commit').length === count)
    }
    await other.rooms.say(group, 'come here')
    await world.pass(SOON_MS)
    assert.equal(membersOf(), 2, 'nor is anybody taken in whom they want in')
    await newcomer.rooms.say(group, 'not for others')
    await world.until(() => founder.texts().includes('not for others'))
    await world.pass(SOON_MS)
    assert.ok(!other.texts().includes('not for others'))
  })

  it('tells who is taken in which epochs came before, back to the first', async () => {
    await using world = createPrivateWorld(3)
    const { group, founder, newcomer, sent } = await takeInTwice(world, 'first')
    const chains = sent(founder, newcomer, 'sync').map((frame) => ('chain' in frame ? frame.chain : []))
    const [welcome] = sent(founder, newcomer, 'welcome')
    assert.ok(welcome && 'tip' in welcome)
    assert.deepEqual(
      chains.map((chain) => [chain[0], chain.length, chain.at(-1)]),
      [[welcome.tip, 3, tipOf(Buffer.from(group, 'hex'))]]
    )
  })

  it('is one again, and quiet, after each side took somebody in', async () => {
    for (let seed = 1; seed <= WORLDS; seed++) {
      await forkAndMeet(seed, [1]).catch((error: unknown) => assert.fail(`seed ${seed}: ${String(error)}`))
    }
  })
})
