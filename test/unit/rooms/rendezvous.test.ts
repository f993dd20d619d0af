import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { encode } from '@ipld/dag-cbor'
import { nextDaysChangeMs, rendezvousCid, rendezvousDays, roomTopic } from '#rooms'

const DAY_MS = 86_400_000
const NOON_MS = 20_468 * DAY_MS + DAY_MS / 2

describe('the rendezvous of a room', () => {
  it('is the CID of version, room and day', async () => {
    const hash = createHash('sha256')
      .update(encode(['elastos/room/1', 'lobby', 20_468]))
      .digest('hex')
    const cid = await rendezvousCid(' lobby ', 20_468)
    assert.equal(Buffer.from(cid.bytes).toString('hex'), `01551220${hash}`)
    assert.notEqual(String(await rendezvousCid('lobby', 20_469)), String(cid))
    assert.notEqual(String(await rendezvousCid('Lobby', 20_468)), String(cid))
  })

  it('is the same for two spellings of one name', async () => {
    assert.equal(String(await rendezvousCid('cafe\u0301', 1)), String(await rendezvousCid('café', 1)))
    assert.equal(await roomTopic('cafe\u0301'), await roomTopic('café'))
  })

  it('does not show the name in the topic', async () => {
    const topic = await roomTopic('lobby')
    assert.match(topic, /^\/elastos\/room\/1\/[a-z2-7]{52}$/)
    assert.notEqual(topic, await roomTopic('kitchen'))
  })

  it('refuses what is no name of a room', async () => {
    await assert.rejects(rendezvousCid('', 1), { code: 'ERR_ROOM_NAME_INVALID' })
    await assert.rejects(roomTopic('a\u0007'), { code: 'ERR_ROOM_NAME_INVALID' })
  })

  it('is announced today and sought today and yesterday', () => {
    assert.deepEqual(rendezvousDays(NOON_MS), { provide: [20_468], find: [20_468, 20_467] })
  })

  it('is announced and sought tomorrow too, shortly before midnight', () => {
    const lateMs = 20_469 * DAY_MS - 60_000
    assert.deepEqual(rendezvousDays(lateMs), { provide: [20_468, 20_469], find: [20_468, 20_467, 20_469] })
  })

  it('brings two people together whose clocks are up to a day apart', () => {
    for (const apartMs of [0, 60_000, DAY_MS / 2, DAY_MS - 1, DAY_MS]) {
      for (let atMs = NOON_MS; atMs < NOON_MS + DAY_MS; atMs += 5 * 60_000) {
        const behind = rendezvousDays(atMs)
        const ahead = rendezvousDays(atMs + apartMs)
        const isFound = ahead.find.some((day) => behind.provide.includes(day))
        assert.ok(isFound, `${apartMs} ms apart at ${atMs}`)
      }
    }
  })

  it('knows when the days change', () => {
    for (let atMs = NOON_MS; atMs < NOON_MS + 2 * DAY_MS; atMs += 7 * 60_000 + 13) {
      const waitMs = nextDaysChangeMs(atMs)
      assert.ok(waitMs > 0)
      assert.deepEqual(rendezvousDays(atMs + waitMs - 1), rendezvousDays(atMs))
      assert.notDeepEqual(rendezvousDays(atMs + waitMs), rendezvousDays(atMs))
    }
  })
})
