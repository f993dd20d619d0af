import assert from 'node:assert/strict'
import { systemRandom } from '#contracts'
import type { Content } from '#content'
import { createKeyPair } from '#did'
import type { Replication } from '#replication'
import type { CallContext } from '../../../node/control/server.ts'
import { createContentHandlers } from '../../../node/control/content-handlers.ts'
import { createReplicaHandlers } from '../../../node/control/replica-handlers.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'

const CID = 'bafkqaaa'
const CALL = { signal: new AbortController().signal, emit: async () => await Promise.resolve() }
const call = CALL as unknown as CallContext

describe('commands about what is kept for others and by others', () => {
  it('say of what is unpinned who keeps it all the same, and have an agreed copy kept on', async () => {
    const rechecked: string[] = []
    const content = { unpin: async () => await Promise.resolve() } as unknown as Content
    const replication = {
      hasGoal: () => true,
      status: () => ({ goal: { copies: 5 } }),
      holds: () => true,
      prepare: async () => await Promise.resolve(3),
      recheck: (root: string) => rechecked.push(root)
    } as unknown as Replication
    const handlers = createContentHandlers(content, createVirtualClock(), replication)
    const told = await handlers['content.unpin']({ target: CID }, call)
    assert.deepEqual(told, { cid: CID, copiesGoal: 5, prepared: 3, isKeptForOthers: true })
    assert.deepEqual(rechecked, [CID])
  })

  it('open what is private to all devices of a person, and refuse one none of whose devices is known', async () => {
    const made = Array.from({ length: 7 }, () => createKeyPair(systemRandom).did)
    const [person, friend, stranger, laptop, phone, tablet, lost] = made
    assert.ok(person && friend && stranger && laptop && phone && tablet && lost)
    const set: (readonly string[] | undefined)[] = []
    const replication = {
      followed: () => [friend, stranger],
      groups: () => [],
      devicesOf: (one: string) => (one === friend ? [tablet, phone] : []),
      setGoal: async (_root: string, { readers }: { readers?: readonly string[] }) =>
        await Promise.resolve(set.push(readers)),
      status: () => ({ root: CID, goal: {}, copies: [], taking: [] })
    } as unknown as Replication
    const own = [
      { device: laptop, isRevoked: false, isThis: true },
      { device: lost, isRevoked: true, isThis: false }
    ]
    const handlers = createReplicaHandlers({
      ...{ replication, personDid: person, content: { pinned: () => undefined } },
      contacts: { didOf: () => friend },
      devices: {
        list: () => own,
        listedOf: async (one) => await Promise.resolve(one === friend ? [phone] : [])
      }
    })
    const goal = async (...readers: string[]): Promise<unknown> =>
      await handlers['replica.goal']({ cid: CID, copies: 1, readers }, call)
    await goal(friend)
    await goal('alice', tablet, person)
    await goal(lost)
    assert.deepEqual(set, [[phone, tablet], [phone, tablet, laptop], [lost]])
    await assert.rejects(goal(stranger), { code: 'ERR_REPLICA_GOAL_INVALID' })
  })
})
