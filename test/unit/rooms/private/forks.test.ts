import assert from 'node:assert/strict'
import { forkAndMeet } from '../../../support/private-forks.ts'
import { createPrivateWorld } from '../../../support/private-party.ts'

const { signal } = new AbortController()
/** Which of two commits counts is a matter of their hashes: several worlds, for both to happen. */
const WORLDS = 8
const TWICE = 4

/** Two members who do not hear each other take the same person in; then all hear each other again. */
async function takeInTwice(seed: number): Promise<void> {
  await using world = createPrivateWorld(seed)
  const [founder, other, newcomer] = [
    await world.device(world.person()),
    await world.device(world.person()),
    await world.device(world.person())
  ]
  const { group } = await founder.rooms.createRoom('plans')
  await founder.rooms.invite(group, other.person.did, { signal })
  const membersOf = (one: typeof founder): number =>
    one.rooms.list().find((room) => room.group === group)?.members.length ?? 0
  await world.until(() => membersOf(other) === 2)
  world.mayPass = (from, to) => [from, to].includes(newcomer.did)
  for (const one of [founder, other]) await one.rooms.invite(group, newcomer.person.did, { signal })
  await world.until(() => membersOf(newcomer) === 3)
  await world.pass(10_000)
  world.mayPass = () => true
  const devices = [founder, other, newcomer]
  for (const one of devices) await one.rooms.say(group, `before ${one.did}`)
  await world.pass(60_000)
  const late = await world.device(world.person())
  await other.rooms.invite(group, late.person.did, { signal })
  const all = [...devices, late]
  await world.until(() => all.every((one) => membersOf(one) === 4), 'the fourth is in for everybody')
  for (const one of all) await one.rooms.say(group, `together ${one.did}`)
  const hasAll = (one: typeof founder): boolean =>
    all.every(({ did }) => one.texts().includes(`together ${did}`))
  await world.until(() => all.every(hasAll), 'each hears each')
}

describe('a private room that forks', function () {
  this.timeout(120_000)

  it('has a person that two took in at once where the others are', async () => {
    for (let seed = 1; seed <= TWICE; seed++) {
      await takeInTwice(seed).catch((error: unknown) => assert.fail(`seed ${seed}: ${String(error)}`))
    }
  })

  it('is one again, and quiet, after each side took somebody in', async () => {
    for (let seed = 1; seed <= WORLDS; seed++) {
      await forkAndMeet(seed, [1]).catch((error: unknown) => assert.fail(`seed ${seed}: ${String(error)}`))
    }
  })
})
