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
      recheck: (root: string) => rechecked.push(root)
    } as unknown as Replication
    const handlers = createContentHandlers(content, createVirtualClock(), replication)
    const told = await handlers['content.unpin']({ target: CID }, call)
    assert.deepEqual(told, { cid: CID, copiesGoal: 5, isKeptForOthers: true })
    assert.deepEqual(rechecked, [CID])
  })

  it('refuse a person as a reader, whom nothing would be served', async () => {
    const [person, friend] = [createKeyPair(systemRandom).did, createKeyPair(systemRandom).did]
    const replication = { followed: () => [friend], groups: () => [] } as unknown as Replication
    const handlers = createReplicaHandlers({
      replication,
      contacts: { didOf: () => friend },
      content: { pinned: () => undefined },
      personDid: person
    })
    for (const reader of [person, friend, 'alice']) {
      const refused = handlers['replica.goal']({ cid: CID, copies: 1, readers: [reader] }, call)
      await assert.rejects(Promise.resolve(refused), { code: 'ERR_REPLICA_GOAL_INVALID' })
    }
  })
})
