import assert from 'node:assert/strict'
import { createPrivateWorld, type PrivateDevice } from '../../../support/private-party.ts'

const { signal } = new AbortController()
const MINUTE_MS = 60_000
/** Which side of a fork gives way is a matter of hashes: here it is the one that took somebody out. */
const SEED = 2
const ROUNDS = 3

function membersAt(device: PrivateDevice, group: string): readonly string[] {
  const found = device.rooms.list().find((one) => one.group === group)
  return (found?.members ?? []).map(({ device: did }) => did)
}

/** Somebody is taken out while one sleeps, who takes another in an hour later, before hearing of it. */
async function takeOutAndWake(seed: number): Promise<void> {
  await using world = createPrivateWorld(seed)
  const devices: PrivateDevice[] = []
  while (devices.length < 4) devices.push(await world.device(world.person()))
  const [founder, sleeper, outcast, newcomer] = devices
  assert.ok(founder && sleeper && outcast && newcomer)
  const { group } = await founder.rooms.createRoom('plans')
  for (const one of [sleeper, outcast]) {
    await founder.rooms.invite(group, one.person.did, { signal })
    await world.until(() => membersAt(one, group).length > 1)
  }
  await world.until(() => devices.slice(0, 3).every((one) => membersAt(one, group).length === 3))
  const asleep = [sleeper.did, newcomer.did]
  world.mayPass = (from, to) => asleep.includes(from) === asleep.includes(to)
  await founder.rooms.remove(group, outcast.person.did)
  await world.until(() => membersAt(founder, group).length === 2)
  await world.pass(61 * MINUTE_MS)
  await sleeper.rooms.invite(group, newcomer.person.did, { signal })
  await world.pass(11 * MINUTE_MS)
  world.mayPass = () => true
  const rightful = [founder, sleeper, newcomer]
  for (let round = 0; round < ROUNDS; round++) {
    for (const one of rightful) await one.rooms.say(group, `round ${round}`).catch(() => undefined)
    await world.pass(MINUTE_MS)
  }
  const expected = rightful.map(({ did }) => did).sort()
  for (const one of rightful) assert.deepEqual([...membersAt(one, group)].sort(), expected)
  await founder.rooms.say(group, 'not for all')
  await world.until(() => rightful.every((one) => one.texts().includes('not for all')))
  assert.ok(!outcast.texts().includes('not for all'))
  assertToldOf(founder, outcast)
}

/** What a device was told of who is in adds up: somebody who came back was named, and so was that they went again. */
function assertToldOf(device: PrivateDevice, somebody: PrivateDevice): void {
  let isIn = false
  for (const event of device.events) {
    if (event.type !== 'members') continue
    const names = (some: typeof event.added): boolean => some.some(({ device: did }) => did === somebody.did)
    if (names(event.added)) isIn = true
    if (names(event.removed)) {
      assert.ok(isIn, 'who is said to be out was said to be in')
      isIn = false
    }
  }
  assert.ok(!isIn, 'who is out is said to be out')
}

describe('a private room that forked too long ago to be read', function () {
  this.timeout(120_000)

  it('takes nobody back who was taken out on one side an hour ago', async () => {
    await takeOutAndWake(SEED)
  })
})
