import assert from 'node:assert/strict'
import { openFrame, type Frame } from '../../../../rooms/private/frame.ts'
import { forkAndMeet } from '../../../support/private-forks.ts'
import { createPrivateWorld, type PrivateDevice } from '../../../support/private-party.ts'

const { signal } = new AbortController()
/** Which of two commits counts is a matter of their hashes: several worlds, for both to happen. */
const WORLDS = 8
const SOON_MS = 30_000

/** Two members who do not hear each other take the same person in, settle it between them, and speak. */
async function takeInTwice(seed: number): Promise<void> {
  await using world = createPrivateWorld(seed)
  const [founder, other, newcomer] = [
    await world.device(world.person()),
    await world.device(world.person()),
    await world.device(world.person())
  ]
  const sent = (from: PrivateDevice, to: PrivateDevice, kind: Frame['kind']): readonly Frame[] =>
    world.wire
      .filter((frame) => frame.from === from.did && frame.to === to.did)
      .map(({ bytes }) => openFrame(bytes))
      .filter((frame) => frame.kind === kind)
  const epochOf = async (from: PrivateDevice, to: PrivateDevice, text: string): Promise<unknown> => {
    await from.rooms.say(group, text)
    await world.until(() => to.texts().includes(text))
    const last = sent(from, to, 'message').at(-1)
    return last !== undefined && 'tip' in last ? last.tip : undefined
  }
  const { group } = await founder.rooms.createRoom('plans')
  await founder.rooms.invite(group, other.person.did, { signal })
  await world.until(() => other.rooms.list().length === 1)
  world.mayPass = (from, to) => [from, to].includes(newcomer.did)
  for (const one of [founder, other]) {
    await one.rooms.invite(group, newcomer.person.did, { signal })
    await world.until(() => sent(one, newcomer, 'welcome').length === 1)
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
      await takeInTwice(seed).catch((error: unknown) => assert.fail(`seed ${seed}: ${String(error)}`))
    }
  })

  it('is one again, and quiet, after each side took somebody in', async () => {
    for (let seed = 1; seed <= WORLDS; seed++) {
      await forkAndMeet(seed, [1]).catch((error: unknown) => assert.fail(`seed ${seed}: ${String(error)}`))
    }
  })
})
