import assert from 'node:assert/strict'
import { createReplicaParty } from '../../support/replica-party.ts'

const MINUTE_MS = 60_000

describe('a device in a pool', () => {
  it('announces itself, again within ten minutes, and then every thirty', async () => {
    await using party = createReplicaParty({ size: 1 })
    const [member] = party.members
    assert.ok(member)
    const replication = await party.start(member)
    await replication.offer({ spaceBytes: 2 ** 30, isVolunteer: true })
    await party.clock.advance(120 * MINUTE_MS)
    const times = party.announcements.filter(({ pool }) => pool === '*').map(({ atMs }) => atMs)
    const waits = times.slice(1).map((atMs, index) => (atMs - (times[index] ?? 0)) / MINUTE_MS)
    const [first = 0, ...later] = waits
    assert.ok(first >= 5 && first <= 12, `${first} minutes`)
    assert.ok(later.length >= 3)
    for (const wait of later) assert.ok(wait >= 24 && wait <= 36, waits.join(', '))
  })
})
