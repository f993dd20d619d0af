/** Rooms of whole nodes over their stores on disk: what was said while one was away, and when nobody was there. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startNode, type ElastosNode } from '#node'
import type { Room, RoomEvent } from '#rooms'
import { MAILBOX_GATHER_MS } from '../../rooms/constants.ts'
import { createTemporaryFolder } from '../support/temporary-folder.ts'

type Said = Extract<RoomEvent, { type: 'message' }>

describe('the history of a room over libp2p and level', function () {
  this.timeout(30_000)

  const start = async (dataFolder: string, bootstrap: readonly string[] = []): Promise<ElastosNode> =>
    await startNode({
      ...{ dataFolder, reach: 'local', mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'], bootstrap },
      powers: { isControlled: false }
    })

  /** Reads what a person is told until `count` texts of others came. */
  const told = async (room: Room, count: number): Promise<Said[]> => {
    const texts: Said[] = []
    for await (const event of room.told()) {
      if (event.type === 'message' && !event.isSelf) texts.push(event)
      if (texts.length >= count) break
    }
    return texts
  }

  /** Resolves when a text of ours is in our own history. */
  const shown = async (room: Room, text: string): Promise<void> => {
    for await (const event of room.told()) if (event.type === 'message' && event.text === text) return
  }

  it('comes back with a node that was away, and says what of it was seen', async () => {
    await using folder = await createTemporaryFolder()
    await using ann = await start(join(folder.path, 'ann'))
    await using annRoom = await ann.rooms.join({ room: 'lobby', nick: 'ann' })
    {
      await using bob = await start(join(folder.path, 'bob'), ann.host.addresses())
      await using room = await bob.rooms.join({ room: 'lobby', nick: 'bob' })
      const [heard] = await Promise.all([told(room, 1), annRoom.send('one')])
      assert.deepEqual(
        heard.map(({ text }) => text),
        ['one']
      )
    }
    void annRoom.send('two')
    void annRoom.send('three')
    await using bob = await start(join(folder.path, 'bob'), ann.host.addresses())
    await using room = await bob.rooms.join({ room: 'lobby', nick: 'bob' })
    const texts = await told(room, 3)
    assert.deepEqual(
      texts.map(({ text }) => text),
      ['one', 'two', 'three']
    )
    assert.deepEqual(
      texts.map(({ index }) => index),
      [1, 2, 3]
    )
  })

  it('is read from the mailbox when everybody who was there is gone', async () => {
    await using folder = await createTemporaryFolder()
    await using keeper = await start(join(folder.path, 'keeper'))
    {
      await using ann = await start(join(folder.path, 'ann'), keeper.host.addresses())
      await ann.host.ready(AbortSignal.timeout(20_000))
      await using room = await ann.rooms.join({ room: 'lobby', nick: 'ann' })
      void room.send('into the box')
      await shown(room, 'into the box')
      // What is gathered is deposited with patience; leaving has little.
      await sleep(2 * MAILBOX_GATHER_MS)
    }
    await using bob = await start(join(folder.path, 'bob'), keeper.host.addresses())
    await using room = await bob.rooms.join({ room: 'lobby', nick: 'bob' })
    const [said] = await told(room, 1)
    assert.equal(said?.text, 'into the box')
    assert.equal(said.isHistory, true)
  })
})
