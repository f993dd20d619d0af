import assert from 'node:assert/strict'
import { silentLogger } from '#contracts'
import type { PeerEvent, PeerSummary } from '#dht'
import { createKeyPair } from '#did'
import { startReadingMailbox } from '../../../node/device-mailbox.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts'

const HOUR_MS = 3_600_000

interface Fixture extends AsyncDisposable {
  readonly clock: VirtualClock
  /** What is in the mailbox. */
  readonly items: string[]
  /** What was taken out of it. */
  readonly taken: string[]
  meet(): void
  leave(): void
}

function start(): Fixture {
  const clock = createVirtualClock()
  const [items, taken]: string[][] = [[], []]
  let peers: PeerSummary[] = []
  let onPeer: (event: PeerEvent) => void = () => undefined
  const reading = startReadingMailbox(
    {
      ...{ clock, logger: silentLogger },
      host: {
        peers: () => peers,
        onPeer: (handler) => {
          onPeer = handler
          return { [Symbol.dispose]: () => undefined }
        }
      },
      mailbox: {
        collect: async function* () {
          for (const item of items ?? []) yield Buffer.from(item)
          await Promise.resolve()
        }
      }
    },
    {
      device: createKeyPair(createSeededRandom(1)).did,
      take: async (bytes) => {
        await Promise.resolve()
        const item = Buffer.from(bytes).toString()
        if (item.startsWith('hostile')) throw new Error('expected a frame')
        taken?.push(item)
      }
    }
  )
  return {
    ...{ clock, items: items ?? [], taken: taken ?? [] },
    meet: () => {
      peers = [{ peerId: 'peer' } as PeerSummary]
      onPeer({ type: 'connected', peerId: 'peer' })
    },
    leave: () => {
      peers = []
      onPeer({ type: 'disconnected', peerId: 'peer' })
    },
    [Symbol.asyncDispose]: async () => await reading[Symbol.asyncDispose]()
  }
}

describe('the mailbox of this device', () => {
  it('is read past what cannot be taken, each item once', async () => {
    await using one = start()
    one.items.push('first', 'hostile', 'second')
    one.meet()
    await one.clock.advance(HOUR_MS)
    assert.deepEqual(one.taken, ['first', 'second'])
  })

  it('is read several times soon after somebody came, each time this node was alone before', async () => {
    await using one = start()
    await one.clock.advance(HOUR_MS)
    one.meet()
    await one.clock.advance(2_000)
    one.items.push('first')
    await one.clock.advance(20_000)
    assert.deepEqual(one.taken, ['first'])
    await one.clock.advance(HOUR_MS)
    one.leave()
    one.items.push('second')
    await one.clock.advance(HOUR_MS)
    assert.deepEqual(one.taken, ['first'])
    one.meet()
    await one.clock.advance(2_000)
    assert.deepEqual(one.taken, ['first', 'second'])
  })
})
