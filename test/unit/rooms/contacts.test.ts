import assert from 'node:assert/strict'
import { silentLogger } from '#contracts'
import { ASKED_WHO_IS_HERE, CONTACT_QUEUE_MAX, WHO_IS_HERE_TRIES_MAX } from '../../../rooms/constants.ts'
import { startContacts, type Contacts } from '../../../rooms/contacts.ts'
import { encodeMembersAnswer } from '../../../rooms/members-exchange.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'

const PEERS = Array.from({ length: 12 }, (_, index) => `peer ${index}`)
const ANSWER = encodeMembersAnswer({ nowMs: 1, sequenceSeen: 0, members: [] })

/** Whom somebody asks to whom all connect one after the other, where some do not answer. */
async function askedOf(
  isSilent: (peerId: string) => boolean,
  unreachable: readonly string[] = []
): Promise<string[]> {
  const clock = createVirtualClock()
  const connected: string[] = []
  const asked: string[] = []
  await using contacts: Contacts = startContacts(
    {
      ...{ clock, logger: silentLogger },
      transport: {
        connect: async ({ peerId }) => {
          if (unreachable.includes(peerId)) await new Promise(() => undefined)
        },
        request: async (peerId) => {
          asked.push(peerId)
          await Promise.resolve()
          if (isSilent(peerId)) throw new Error('no answer')
          return ANSWER
        }
      }
    },
    {
      isWanted: () => true,
      peers: () => connected,
      request: () => new Uint8Array(),
      onAnswer: () => undefined
    }
  )
  for (const peerId of unreachable) contacts.offer({ peerId, multiaddrs: [] })
  for (const peerId of PEERS) {
    connected.push(peerId)
    contacts.met(peerId)
  }
  await clock.settle()
  return asked
}

describe('somebody who arrives in a room', () => {
  it('asks the first who connect who is here, however few are connected', async () => {
    assert.deepEqual(await askedOf(() => false), PEERS.slice(0, ASKED_WHO_IS_HERE))
  })

  it('asks others in place of those who do not answer', async () => {
    const silent = PEERS.slice(0, ASKED_WHO_IS_HERE)
    const asked = await askedOf((peerId) => silent.includes(peerId))
    assert.deepEqual(asked, PEERS.slice(0, 2 * ASKED_WHO_IS_HERE))
  })

  it('asks them at once, however many others cannot be reached', async () => {
    const dead = Array.from({ length: 2 * CONTACT_QUEUE_MAX }, (_, at) => `dead ${at}`)
    assert.deepEqual(await askedOf(() => false, dead), PEERS.slice(0, ASKED_WHO_IS_HERE))
  })

  it('asks no more than so many where nobody answers', async () => {
    assert.deepEqual(await askedOf(() => true), PEERS.slice(0, WHO_IS_HERE_TRIES_MAX))
  })
})
