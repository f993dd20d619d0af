import assert from 'node:assert/strict'
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { silentLogger } from '#contracts'
import { createKeyPair } from '#did'
import {
  LOOKUP_AGAIN_MS,
  LOOKUP_EVERY_MS,
  LOOKUP_NOTES_MAX,
  LOOKUP_NOTES_WRITE_MS,
  LOOKUPS_BURST
} from '../../../../node/devices/constants.ts'
import { openLookupNotes, type LookupNotes } from '../../../../node/devices/lookup-notes.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'
import { createVirtualClock } from '../../../support/virtual-clock.ts'

const random = createSeededRandom(47)
const KEY = new Key('/elastos/devices/looked-up')

describe('notes on whose device list was looked up', () => {
  const clock = createVirtualClock()
  const open = async (datastore: MemoryDatastore): Promise<LookupNotes> =>
    await openLookupNotes({ datastore, clock, logger: silentLogger })

  it('outlast a process that was killed, for an hour', async () => {
    const datastore = new MemoryDatastore()
    const { did } = createKeyPair(random)
    // never disposed: it was killed
    const killed = await open(datastore)
    assert.equal(killed.isRecent(did), false)
    killed.note(did)
    await clock.advance(LOOKUP_NOTES_WRITE_MS)
    await using notes = await open(datastore)
    assert.equal(notes.isRecent(did), true)
    await clock.advance(LOOKUP_AGAIN_MS - LOOKUP_NOTES_WRITE_MS)
    assert.equal(notes.isRecent(did), false)
  })

  it('are written at the end, and once for many', async () => {
    const datastore = new MemoryDatastore()
    const people = Array.from({ length: 3 }, () => createKeyPair(random).did)
    {
      await using notes = await open(datastore)
      for (const did of people) notes.note(did)
      assert.equal(await datastore.has(KEY), false)
    }
    await using notes = await open(datastore)
    assert.ok(people.every((did) => notes.isRecent(did)))
  })

  it('say what was used up before a restart, until it has come back', async () => {
    const datastore = new MemoryDatastore()
    {
      await using notes = await open(datastore)
      assert.equal(notes.spent(), 0)
      for (let count = 0; count < 3; count++) notes.note(createKeyPair(random).did)
    }
    await using notes = await open(datastore)
    assert.equal(notes.spent(), 3)
    await clock.advance(LOOKUP_EVERY_MS)
    assert.equal(notes.spent(), 2)
    for (let count = 0; count < 2 * LOOKUPS_BURST; count++) notes.note(createKeyPair(random).did)
    assert.equal(notes.spent(), LOOKUPS_BURST)
    await clock.advance(LOOKUPS_BURST * LOOKUP_EVERY_MS)
    assert.equal(notes.spent(), 0)
  })

  it('keep the latest of too many', async () => {
    const datastore = new MemoryDatastore()
    await using notes = await open(datastore)
    const people = Array.from({ length: LOOKUP_NOTES_MAX + 1 }, () => createKeyPair(random).did)
    for (const did of people) notes.note(did)
    assert.deepEqual(
      people.filter((did) => !notes.isRecent(did)),
      people.slice(0, 1)
    )
  })

  it('say nothing of a time to come, nor when they cannot be read', async () => {
    const datastore = new MemoryDatastore()
    const { did } = createKeyPair(random)
    await datastore.put(KEY, Buffer.from(JSON.stringify([[did, clock.nowMs() + 1_000]])))
    await using ahead = await open(datastore)
    assert.equal(ahead.isRecent(did), false)
    await datastore.put(KEY, Buffer.from('[['))
    await using damaged = await open(datastore)
    assert.equal(damaged.isRecent(did), false)
  })
})
