import assert from 'node:assert/strict'
import { peerIdFromDid } from '#did'
import { createMeeting } from '../../../dht/meeting.ts'
import type { MeetingComponents } from '../../../dht/meeting.ts'
import type { Acquaintance } from '../../../dht/ipfs-discovery.ts'
import { numberedKey } from '../../support/memory-names.ts'

const peer = { peerId: peerIdFromDid(numberedKey(3).did), multiaddrs: [] }

interface Outcome {
  readonly acquaintance: Acquaintance
  readonly opened: readonly string[]
  readonly closedStreams: number
  readonly hangUps: number
}

async function meet(o: { speaks?: boolean; answers?: boolean; wasConnected?: boolean }): Promise<Outcome> {
  const opened: string[] = []
  let [closedStreams, hangUps, isConnected] = [0, 0, o.wasConnected ?? false]
  const connection = {
    newStream: async (protocol: string) => {
      opened.push(protocol)
      await Promise.resolve()
      if (o.speaks !== true) throw new Error('protocol selection failed')
      return {
        close: async () => {
          closedStreams++
          await Promise.resolve()
        }
      }
    }
  }
  const libp2p = {
    getConnections: () => (isConnected ? [connection] : []),
    hangUp: async () => {
      hangUps++
      await Promise.resolve()
    }
  } as unknown as MeetingComponents['libp2p']
  const connect = async (): Promise<void> => {
    await Promise.resolve()
    if (o.answers === false) throw new Error('refused')
    isConnected = true
  }
  const acquaintance = await createMeeting({ libp2p, connect })(peer, new AbortController().signal)
  return { acquaintance, opened, closedStreams, hangUps }
}

describe('dht/meeting', () => {
  it('keeps the connection to a peer that speaks our protocol', async () => {
    const outcome = await meet({ speaks: true })
    assert.deepEqual(outcome, {
      acquaintance: 'member',
      opened: ['/elastos/kad/1.0.0'],
      closedStreams: 1,
      hangUps: 0
    })
  })

  it('hangs up on a stranger, but not when the connection was there before', async () => {
    assert.deepEqual(
      { ...(await meet({})), opened: [] },
      { acquaintance: 'stranger', opened: [], closedStreams: 0, hangUps: 1 }
    )
    assert.equal((await meet({ wasConnected: true })).hangUps, 0)
  })

  it('takes a peer that does not answer for unreachable, not for a stranger', async () => {
    assert.equal((await meet({ answers: false })).acquaintance, 'unreachable')
  })
})
