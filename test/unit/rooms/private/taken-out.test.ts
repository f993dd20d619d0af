import assert from 'node:assert/strict'
import { certifyDevice } from '#did'
import { openFrame, sealFrame } from '../../../../rooms/private/frame.ts'
import { createPrekey } from '../../../../rooms/private/prekeys.ts'
import { createSuite } from '../../../../rooms/private/suite.ts'
import { createPrivateWorld, type PrivateDevice, type PrivateWorld } from '../../../support/private-party.ts'

const { signal } = new AbortController()
const SOON_MS = 30_000

/** A room of the founder's two devices and of somebody, who asks the second of them to be taken in again. */
async function party(world: PrivateWorld): Promise<{
  readonly group: string
  readonly first: PrivateDevice
  readonly second: PrivateDevice
  readonly outcast: PrivateDevice
  readonly rejoin: () => Promise<void>
}> {
  const founder = world.person()
  const [first, second] = [await world.device(founder), await world.device(founder)]
  const outcast = await world.device(world.person())
  const { group } = await first.rooms.createRoom('plans')
  for (const one of [second, outcast]) {
    await first.rooms.invite(group, one.person.did, { signal })
    await world.until(() => one.rooms.list().length === 1)
  }
  const certificate = certifyDevice(outcast.person, { device: outcast.did, issuedAtMs: 1 })
  const { random } = world
  const suite = await createSuite({ signer: outcast.key, certificate, random, isAllowed: () => true })
  const rejoin = async (): Promise<void> => {
    const { bytes } = await createPrekey(suite, { nowMs: world.clock.nowMs(), isLastResort: false })
    await second.rooms.receive(sealFrame(outcast.key, { kind: 'rejoin', group, body: bytes }))
  }
  await world.until(() => membersAt(second) === 3)
  return { group, first, second, outcast, rejoin }
}

function membersAt(device: PrivateDevice): number {
  return device.rooms.list()[0]?.members.length ?? 0
}

function welcomesOf({ wire }: PrivateWorld, device: PrivateDevice): number {
  return wire.filter(({ to, bytes }) => to === device.did && openFrame(bytes).kind === 'welcome').length
}

describe('who is taken out of a private room', () => {
  it('does not stay by asking to be taken in again before it is done', async () => {
    await using world = createPrivateWorld(31)
    const { group, first, second, outcast, rejoin } = await party(world)
    // It is the turn of the first to make the change, and the second waits for it.
    first.isOnline = false
    await second.rooms.remove(group, outcast.person.did)
    assert.equal(membersAt(second), 3)
    const welcomes = welcomesOf(world, outcast)
    await rejoin()
    await world.until(() => membersAt(second) === 2 || welcomesOf(world, outcast) > welcomes)
    await world.pass(SOON_MS)
    assert.equal(membersAt(second), 2)
    assert.equal(welcomesOf(world, outcast), welcomes)
  })

  it('is not taken in for having asked so before', async () => {
    await using world = createPrivateWorld(32)
    const { group, first, second, outcast, rejoin } = await party(world)
    const welcomes = welcomesOf(world, outcast)
    await rejoin()
    await first.rooms.remove(group, outcast.person.did)
    await world.until(() => membersAt(second) === 2)
    await world.pass(SOON_MS)
    assert.equal(membersAt(second), 2)
    assert.equal(welcomesOf(world, outcast), welcomes, 'not even for a moment')
  })
})
