import assert from 'node:assert/strict'
import { once } from 'node:events'
import { CID } from 'multiformats/cid'
import { silentLogger } from '#contracts'
import { DhtError, type PeerEvent } from '#dht'
import { createKeyPair, signDeviceList, type Did, type KeyPair } from '#did'
import {
  JUST_MADE_MS,
  LOOKUP_AGAIN_MS,
  LOOKUP_DELAY_MS,
  LOOKUP_EVERY_MS,
  LOOKUP_QUEUE_MAX,
  LOOKUPS_BURST,
  PUBLISH_RETRY_MS
} from '../../../../node/devices/constants.ts'
import {
  startPublication,
  type Publication,
  type PublicationComponents
} from '../../../../node/devices/publication.ts'
import { readList, type SignedList } from '../../../../node/devices/revocations.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'
import { createVirtualClock, type VirtualClock } from '../../../support/virtual-clock.ts'

const random = createSeededRandom(43)
const [owner, ann, eve, phone] = [0, 1, 2, 3].map(() => createKeyPair(random)) as [
  KeyPair,
  KeyPair,
  KeyPair,
  KeyPair
]
const HEAD = CID.parse('bafyreigdmqpykrgxyaxtlafqpqhzrb7qy2rh75nldvfd4tucqmqqme5yje')

interface World extends AsyncDisposable {
  readonly publication: Publication
  readonly clock: VirtualClock
  readonly lookups: Did[]
  readonly taken: SignedList[]
  readonly published: number[]
  /** What the index has of each person. */
  readonly lists: Map<string, SignedList>
  /** People whose lookup takes for ever. */
  readonly slow: Set<Did>
  readonly contacts: Set<Did>
  /** Whose list was looked up in an earlier run, or is noted by this one. */
  readonly noted: Set<Did>
  own: SignedList | undefined
  /** Why nothing can be published. */
  failure: DhtError | undefined
  peers: number
  hear(person: KeyPair): void
  connect(): void
}

function list(person: KeyPair, sequence: number): SignedList {
  const revoked = [{ device: phone.did, atMs: 1 }]
  return readList(signDeviceList(person, { sequence, issuedAtMs: 1, devices: [], revoked }))
}

function notFound(): DhtError {
  return new DhtError('ERR_NAME_NOT_FOUND', 'no such name')
}

/** Of a person who has had this device for long, and whose words are still on it. */
const SETTLED = { status: { root: 'open' }, issuedAtMs: 1 }

interface WorldOf {
  readonly summary?: object
  readonly spent?: number
}

function createWorld(isHolder = true, seed = 1, { summary = SETTLED, spent = 0 }: WorldOf = {}): World {
  const clock = createVirtualClock()
  let onMet: (person: Did) => void = () => undefined
  let onPeer: (event: PeerEvent) => void = () => undefined
  let asked: string | undefined
  const world = {
    ...{
      clock,
      lookups: [] as Did[],
      taken: [] as SignedList[],
      published: [] as number[],
      lists: new Map<string, SignedList>(),
      slow: new Set<Did>(),
      contacts: new Set<Did>(),
      noted: new Set<Did>()
    },
    own: undefined as SignedList | undefined,
    failure: undefined as DhtError | undefined,
    peers: 1,
    hear: (person: KeyPair) => onMet(person.did),
    connect: () => onPeer({ type: 'connected', peerId: 'peer' })
  }
  const components = {
    host: {
      peers: () => Array.from({ length: world.peers }, () => ({})),
      onPeer: (handler: typeof onPeer) => {
        onPeer = handler
        return { [Symbol.dispose]: () => undefined }
      }
    },
    index: {
      lookup: async (person: Did, { signal }: { signal: AbortSignal }) => {
        world.lookups.push(person)
        if (world.slow.has(person)) await once(signal, 'abort')
        if (!world.lists.has(person)) throw notFound()
        asked = person
        return await Promise.resolve({ head: HEAD })
      },
      publish: async () => {
        if (world.failure !== undefined) throw world.failure
        world.published.push(world.own?.sequence ?? 0)
        return await Promise.resolve({})
      }
    },
    content: {
      getBlock: async () => await Promise.resolve(world.lists.get(asked ?? '')?.bytes ?? new Uint8Array()),
      putBlock: async () => await Promise.resolve({ cid: HEAD }),
      unpin: async () => await Promise.resolve()
    },
    keystore: {
      personDid: owner.did,
      publisher: () => (isHolder ? owner : undefined),
      summary: () => summary
    },
    revocations: {
      own: () => world.own,
      isContact: (person: Did) => world.contacts.has(person),
      onMet: (handler: typeof onMet) => {
        onMet = handler
        return { [Symbol.dispose]: () => undefined }
      }
    },
    notes: {
      spent: () => spent,
      isRecent: (person: Did) => world.noted.has(person),
      note: (person: Did) => world.noted.add(person)
    },
    spread: { take: async (one: SignedList) => await Promise.resolve(void world.taken.push(one)) },
    ...{ clock, random: createSeededRandom(seed), logger: silentLogger }
  } as unknown as PublicationComponents
  const publication = startPublication(components)
  return Object.assign(world, {
    publication,
    [Symbol.asyncDispose]: async () => {
      await publication[Symbol.asyncDispose]()
    }
  })
}

const SIGNAL = new AbortController().signal

describe('the list of the owner', () => {
  const lookedUp = async (summary: object, afterMs: number): Promise<number> => {
    await using world = createWorld(false, 1, { summary })
    world.connect()
    await world.clock.advance(afterMs)
    return world.lookups.length
  }
  const nowMs = createVirtualClock().nowMs()

  it('is looked up as soon as somebody connects', async () => {
    assert.equal(await lookedUp(SETTLED, LOOKUP_DELAY_MS), 1)
  })

  it('is looked up an hour later when the owner was made here just now, whom nobody else can speak for', async () => {
    const made = { status: { root: 'open' }, issuedAtMs: nowMs }
    assert.equal(await lookedUp(made, LOOKUP_AGAIN_MS), 0)
    assert.equal(await lookedUp(made, LOOKUP_AGAIN_MS + LOOKUP_DELAY_MS), 1)
  })

  it('is looked up at once when the owner came from elsewhere, was made before, or has a clock that went back', async () => {
    for (const summary of [
      { status: { root: 'absent' }, issuedAtMs: nowMs },
      { status: { root: 'locked' }, issuedAtMs: nowMs - JUST_MADE_MS },
      { status: { root: 'open' }, issuedAtMs: nowMs + 1 }
    ])
      assert.equal(await lookedUp(summary, LOOKUP_DELAY_MS), 1)
  })
})

describe('the list of somebody who is heard', () => {
  it('is looked up once, again after an hour, and what it says is taken', async () => {
    await using world = createWorld(false)
    world.lists.set(ann.did, list(ann, 1))
    world.hear(ann)
    world.hear(ann)
    await world.clock.advance(LOOKUP_DELAY_MS)
    world.hear(ann)
    await world.clock.advance(LOOKUP_DELAY_MS)
    assert.deepEqual(world.lookups, [owner.did, ann.did])
    assert.deepEqual(
      world.taken.map(({ person }) => person),
      [ann.did]
    )
    await world.clock.advance(LOOKUP_AGAIN_MS)
    world.hear(ann)
    await world.clock.advance(LOOKUP_DELAY_MS)
    assert.deepEqual(world.lookups, [owner.did, ann.did, ann.did])
  })

  it('is not looked up when that was done before a restart, but for the owner’s and those of contacts', async () => {
    await using world = createWorld(false)
    for (const person of [owner, ann, eve]) world.noted.add(person.did)
    world.contacts.add(ann.did)
    for (const person of [ann, eve, phone]) world.hear(person)
    await world.clock.advance(LOOKUP_DELAY_MS)
    assert.deepEqual(new Set(world.lookups), new Set([owner.did, ann.did, phone.did]))
  })

  it('is noted when the network answered, also that there is none, and not when it did not', async () => {
    await using world = createWorld(false)
    world.lists.set(ann.did, list(ann, 1))
    // a list that somebody else signed
    world.lists.set(eve.did, list(ann, 1))
    for (const person of [ann, eve, phone]) world.hear(person)
    await world.clock.advance(LOOKUP_DELAY_MS)
    assert.deepEqual(world.noted, new Set([ann.did, phone.did]))
  })

  it('is looked up at once in a small room, and by and by in a large one', async () => {
    await using world = createWorld(false)
    const room = Array.from({ length: LOOKUPS_BURST + 2 }, () => createKeyPair(random))
    for (const person of room) world.hear(person)
    await world.clock.advance(LOOKUP_DELAY_MS)
    assert.equal(world.lookups.length, 1 + LOOKUPS_BURST, 'the owner and those of a small room')
    await world.clock.advance(2 * LOOKUP_EVERY_MS)
    assert.deepEqual(new Set(world.lookups), new Set([owner.did, ...room.map(({ did }) => did)]))
    assert.equal(world.lookups.length, 1 + room.length, 'nobody twice')
  })

  it('is looked up by and by after a restart, when what may be asked at once was asked just before it', async () => {
    await using world = createWorld(false, 1, { spent: LOOKUPS_BURST })
    const room = Array.from({ length: 3 }, () => createKeyPair(random))
    for (const person of room) world.hear(person)
    await world.clock.advance(LOOKUP_DELAY_MS)
    assert.deepEqual(world.lookups, [owner.did])
    await world.clock.advance(4 * LOOKUP_EVERY_MS)
    assert.deepEqual(new Set(world.lookups), new Set([owner.did, ...room.map(({ did }) => did)]))
  })

  it('is looked up by others than that of its neighbour, in a large room', async () => {
    const room = Array.from({ length: 4 * LOOKUPS_BURST }, () => createKeyPair(random))
    const firstOf = async (seed: number): Promise<readonly Did[]> => {
      await using world = createWorld(false, seed)
      for (const person of room) world.hear(person)
      await world.clock.advance(LOOKUP_DELAY_MS)
      return world.lookups.slice(1)
    }
    const members = Array.from({ length: 32 }, (_, seed) => seed)
    const looked = await Promise.all(members.map(firstOf))
    assert.deepEqual(new Set(looked.flat()), new Set(room.map(({ did }) => did)), 'everybody by somebody')
  })

  it('is looked up before those of strangers when it is a contact’s, however many there are', async () => {
    await using world = createWorld(false)
    const flood = (count: number): void => {
      for (let one = 0; one < count; one += 1) world.hear(createKeyPair(random))
    }
    world.contacts.add(ann.did)
    flood(LOOKUP_QUEUE_MAX)
    await world.clock.advance(LOOKUP_DELAY_MS)
    flood(LOOKUP_QUEUE_MAX)
    world.hear(ann)
    await world.clock.advance(LOOKUP_DELAY_MS)
    assert.ok(world.lookups.includes(ann.did))
    assert.equal(world.lookups.length, 2 + LOOKUPS_BURST)
  })

  it('is looked up of who was heard last where too many wait', async () => {
    await using world = createWorld(false)
    const room = Array.from({ length: LOOKUP_QUEUE_MAX + 1 }, () => createKeyPair(random))
    for (const person of room) world.hear(person)
    await world.clock.advance(LOOKUP_DELAY_MS + room.length * LOOKUP_EVERY_MS)
    assert.deepEqual(
      room.filter(({ did }) => !world.lookups.includes(did)).map(({ did }) => did),
      [room[0]?.did]
    )
  })

  it('is looked up beside one that takes its time', async () => {
    await using world = createWorld(false)
    world.slow.add(eve.did)
    world.lists.set(ann.did, list(ann, 1))
    for (const person of [eve, ann]) world.hear(person)
    await world.clock.advance(LOOKUP_DELAY_MS)
    assert.deepEqual(
      world.taken.map(({ person }) => person),
      [ann.did]
    )
  })

  it('is looked up beside one that takes its time and was heard before', async () => {
    await using world = createWorld(false)
    world.slow.add(eve.did)
    world.lists.set(ann.did, list(ann, 1))
    world.hear(eve)
    await world.clock.advance(LOOKUP_DELAY_MS)
    world.hear(ann)
    await world.clock.advance(LOOKUP_DELAY_MS)
    assert.deepEqual(
      world.taken.map(({ person }) => person),
      [ann.did]
    )
  })

  it('waits until somebody can be asked', async () => {
    await using world = createWorld(false)
    world.peers = 0
    world.hear(ann)
    await world.clock.advance(LOOKUP_DELAY_MS)
    assert.deepEqual(world.lookups, [])
    world.peers = 1
    world.connect()
    await world.clock.advance(LOOKUP_DELAY_MS)
    assert.deepEqual(world.lookups, [owner.did, ann.did])
  })

  it('waits for nobody longer because others were heard while nobody could be asked', async () => {
    await using world = createWorld(false)
    world.connect()
    await world.clock.advance(LOOKUP_DELAY_MS)
    assert.deepEqual(world.lookups.splice(0), [owner.did])
    world.peers = 0
    const room = Array.from({ length: LOOKUPS_BURST }, () => createKeyPair(random))
    for (const person of room) world.hear(person)
    for (let count = 0; count < 4; count += 1) {
      world.connect()
      await world.clock.advance(LOOKUP_DELAY_MS)
    }
    assert.deepEqual(world.lookups, [])
    world.peers = 1
    world.connect()
    await world.clock.advance(LOOKUP_DELAY_MS)
    assert.deepEqual(new Set(world.lookups), new Set(room.map(({ did }) => did)))
  })

  it('is not taken when somebody else signed it, and no failure ends the looking', async () => {
    await using world = createWorld(false)
    world.lists.set(ann.did, list(eve, 1))
    for (const person of [ann, eve]) world.hear(person)
    await world.clock.advance(LOOKUP_DELAY_MS)
    assert.deepEqual(world.taken, [])
    assert.deepEqual(new Set(world.lookups), new Set([owner.did, ann.did, eve.did]))
  })
})

describe('the owner’s list', () => {
  it('is published once, and again when it changed', async () => {
    await using world = createWorld()
    world.own = list(owner, 1)
    assert.equal(await world.publication.publish({ signal: SIGNAL }), true)
    assert.equal(await world.publication.publish({ signal: SIGNAL }), true)
    world.own = list(owner, 2)
    assert.equal(await world.publication.publish({ signal: SIGNAL }), true)
    assert.deepEqual(world.published, [1, 2])
  })

  it('that could not be published is tried again until it is', async () => {
    await using world = createWorld()
    world.own = list(owner, 1)
    world.failure = new DhtError('ERR_DHT_NO_PEERS', 'nobody is there')
    assert.equal(await world.publication.publish({ signal: SIGNAL }), false)
    await world.clock.advance(2 * PUBLISH_RETRY_MS)
    assert.deepEqual(world.published, [])
    world.failure = undefined
    await world.clock.advance(3 * PUBLISH_RETRY_MS)
    assert.deepEqual(world.published, [1])
  })

  it('of before a restart is published when the network has an older one, or none', async () => {
    for (const before of [undefined, list(owner, 1)]) {
      await using world = createWorld()
      if (before !== undefined) world.lists.set(owner.did, before)
      world.own = list(owner, 2)
      world.connect()
      await world.clock.advance(LOOKUP_DELAY_MS + PUBLISH_RETRY_MS)
      assert.deepEqual(world.published, [2])
    }
  })

  it('is not published by a device that does not hold the key', async () => {
    await using world = createWorld(false)
    world.own = list(owner, 2)
    assert.equal(await world.publication.publish({ signal: SIGNAL }), false)
    await world.clock.advance(2 * PUBLISH_RETRY_MS)
    assert.deepEqual(world.published, [])
  })
})
