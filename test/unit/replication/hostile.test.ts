/** What somebody who never agreed to anything may send, and what comes of it: nothing. */
import assert from 'node:assert/strict'
import { systemRandom } from '#contracts'
import { certifyDevice, createKeyPair, type KeyPair } from '#did'
import type { Replication } from '#replication'
import {
  decodeAnswer,
  encodeAsk,
  type ReplicaAnswers,
  type ReplicaAsk
} from '../../../replication/messages.ts'
import { OFFERS_OF_PERSON_MAX } from '../../../replication/constants.ts'
import { setOf, signGoal, signLease, signOffer } from '../../../replication/records.ts'
import { meet } from '../../support/met-party.ts'
import { createReplicaParty, type PartyMember, type ReplicaParty } from '../../support/replica-party.ts'

const GIB = 2 ** 30
const MINUTE_MS = 60_000

interface Scene {
  readonly party: ReplicaParty
  readonly owner: PartyMember
  readonly follower: PartyMember
  readonly replication: Replication
  readonly mallory: KeyPair
  readonly certificate: Uint8Array
}

async function scene(): Promise<Scene> {
  const party = createReplicaParty({ size: 2 })
  const [owner, follower] = party.members
  assert.ok(owner && follower)
  await party.start(owner)
  const replication = await party.start(follower)
  await replication.offer({ spaceBytes: GIB })
  await replication.follow(owner.person)
  const [person, mallory] = [createKeyPair(systemRandom), createKeyPair(systemRandom)]
  const certificate = certifyDevice(person, { device: mallory.did, issuedAtMs: 1 })
  return { party, owner, follower, replication, mallory, certificate }
}

async function ask<K extends ReplicaAsk['ask']>(
  { party, follower, mallory }: Scene,
  message: Extract<ReplicaAsk, { readonly ask: K }>
): Promise<ReplicaAnswers[K]> {
  return decodeAnswer<K>(message.ask, await party.ask(mallory.did, follower, encodeAsk(message)))
}

function goalOf(root: string, pools: readonly string[], nowMs: number): Parameters<typeof signGoal>[1] {
  return { root, pools, copies: 3, bytes: 3_000, isPublic: true, readers: [], issuedAtMs: nowMs }
}

describe('a keeper among strangers', () => {
  it('keeps nothing that it did not agree to keep', async () => {
    const now = await scene()
    await using _party = now.party
    const { party, owner, mallory, certificate, replication } = now
    const root = await party.add(owner, { blocks: 3 })
    // A goal of the stranger's own that names the pool of somebody who is followed, and that of volunteers.
    const goal = signGoal(
      { signer: mallory, certificate },
      goalOf(root, [owner.person, '*'], party.clock.nowMs())
    )
    const { state } = await ask<'keep'>(now, { ask: 'keep', goal, holders: [] })
    assert.equal(state, 'refused')
    await party.clock.advance(MINUTE_MS)
    assert.equal(replication.quota().usedBytes, 0)
  })

  it('lets nobody withdraw or replace the goal of somebody else', async () => {
    const now = await scene()
    await using _party = now.party
    const { party, owner, follower, mallory, certificate } = now
    const root = await party.add(owner, { blocks: 3 })
    await owner.replication?.setGoal(root, { copies: 1, isPublic: true })
    await party.clock.advance(MINUTE_MS)
    assert.deepEqual(party.holders(root), [follower])
    const later = { ...goalOf(root, ['*'], party.clock.nowMs() + 1_000), copies: 0 }
    const goal = signGoal({ signer: mallory, certificate }, later)
    assert.equal((await ask<'keep'>(now, { ask: 'keep', goal, holders: [] })).state, 'refused')
    await party.clock.advance(MINUTE_MS)
    assert.deepEqual(party.holders(root), [follower])
  })

  it('takes no later goal of a device that was revoked, whoever brings it', async () => {
    const now = await scene()
    await using _party = now.party
    const { party, owner, follower, replication } = now
    const root = await party.add(owner, { blocks: 3, access: { isPublic: false, readers: [] } })
    await owner.replication?.setGoal(root, { copies: 1 })
    await party.clock.advance(MINUTE_MS)
    assert.deepEqual(party.holders(root), [follower])
    follower.denied.add(owner.device.did)
    const by = { signer: owner.device, certificate: owner.certificate }
    for (const [copies, isPublic] of [[1, true] as const, [0, false] as const]) {
      const later = { ...goalOf(root, [owner.person], party.clock.nowMs() + 1_000), copies, isPublic }
      await ask<'keep'>(now, { ask: 'keep', goal: signGoal(by, later), holders: [] })
      await party.clock.advance(MINUTE_MS)
      assert.deepEqual([party.holders(root), replication.status(root).goal.isPublic], [[follower], false])
    }
  })

  it('takes no lease of one device from another, and none for roots that were not signed', async () => {
    const now = await scene()
    await using _party = now.party
    const { party, owner, mallory } = now
    const root = await party.add(owner, { blocks: 3 })
    const issuedAtMs = party.clock.nowMs()
    const terms = { set: setOf([root]), demand: 0, issuedAtMs, expiresAtMs: issuedAtMs + 100_000 }
    const stolen = signLease(owner.device, terms)
    await assert.rejects(ask<'lease'>(now, { ask: 'lease', leases: [{ lease: stolen, roots: [root] }] }))
    const own = signLease(mallory, { ...terms, set: setOf(['bafkqaaa']) })
    await assert.rejects(ask<'lease'>(now, { ask: 'lease', leases: [{ lease: own, roots: [root] }] }))
  })

  it('opens what is private to nobody who only says that they hold it, and says to nobody what else is here', async () => {
    const now = await scene()
    await using _party = now.party
    const { party, owner, follower, mallory } = now
    const root = await party.add(owner, { blocks: 3, access: { isPublic: false, readers: [] } })
    await owner.replication?.setGoal(root, { copies: 1 })
    await party.clock.advance(MINUTE_MS)
    assert.deepEqual(party.holders(root), [follower])
    const issuedAtMs = party.clock.nowMs()
    const terms = { set: setOf([root]), demand: 0, issuedAtMs, expiresAtMs: issuedAtMs + 600_000 }
    const leases = [{ lease: signLease(mallory, terms), roots: [root] }]
    await ask<'lease'>(now, { ask: 'lease', leases })
    await ask<'lease'>({ ...now, follower: owner }, { ask: 'lease', leases })
    await party.clock.advance(MINUTE_MS)
    assert.equal(party.canFetch(mallory.did, root), false)

    const own = await party.add(follower, { blocks: 3, access: { isPublic: false, readers: [] } })
    const nonce = systemRandom.bytes(32)
    const held = await ask<'challenge'>(now, { ask: 'challenge', root, nonce })
    const kept = await ask<'challenge'>(now, { ask: 'challenge', root: own, nonce })
    assert.deepEqual([held.answer?.length, kept.answer], [32, null])
  })

  it('is not made to believe that it is cut off by strangers who fall silent', async () => {
    const party = createReplicaParty({ size: 6 })
    await using _party = party
    const [owner, ...followers] = party.members
    assert.ok(owner)
    const publisher = await party.start(owner)
    for (const follower of followers) {
      const replication = await party.start(follower)
      await replication.offer({ spaceBytes: GIB })
      await replication.follow(owner.person)
    }
    await party.clock.advance(MINUTE_MS)
    const root = await party.add(owner, { blocks: 3 })
    await publisher.setGoal(root, { copies: 4, isPublic: true })
    await party.clock.advance(2 * MINUTE_MS)
    const issuedAtMs = party.clock.nowMs()
    for (let count = 0; count < 20; count++) {
      const stranger = createKeyPair(systemRandom)
      const lease = signLease(stranger, {
        ...{ set: setOf(['bafkqaaa']), demand: 0 },
        ...{ issuedAtMs, expiresAtMs: issuedAtMs + 600_000 }
      })
      const message = encodeAsk({ ask: 'lease', leases: [{ lease, roots: ['bafkqaaa'] }] })
      for (const member of party.members) await party.ask(stranger.did, member, message)
    }
    await party.clock.advance(3 * MINUTE_MS)
    for (const victim of party.holders(root).slice(0, 1)) await party.kill(victim)
    await party.clock.advance(6 * MINUTE_MS)
    assert.equal(party.holders(root).length, 4)
  })

  it('asks somebody who comes and goes as a holder, and answers nothing, one question at a time', async () => {
    const now = await scene()
    await using _party = now.party
    const { party, owner, mallory } = now
    const root = await party.add(owner, { blocks: 3 })
    await owner.replication?.setGoal(root, { copies: 1, isPublic: true })
    await party.clock.advance(MINUTE_MS)
    party.silent.set(mallory.did, 0)
    const issuedAtMs = party.clock.nowMs()
    const terms = { set: setOf([root]), demand: 0, issuedAtMs }
    for (let count = 0; count < 40; count++) {
      for (const expiresAtMs of [issuedAtMs + 100_000, issuedAtMs]) {
        const lease = signLease(mallory, { ...terms, expiresAtMs })
        await ask<'lease'>(now, { ask: 'lease', leases: [{ lease, roots: [root] }] })
      }
    }
    await party.clock.advance(1_000)
    assert.equal(party.silent.get(mallory.did), 1)
  })

  it('gives a pool it has no part in away to nobody, and takes no offer of another pool or time', async () => {
    const now = await scene()
    await using _party = now.party
    const { party, owner, mallory, certificate } = now
    const nowMs = party.clock.nowMs()
    const terms = { spaceBytes: GIB, freeBytes: GIB, host: 'm', network: '', issuedAtMs: nowMs }
    const by = { signer: mallory, certificate }
    const expired = signOffer(by, { ...terms, pool: owner.person, expiresAtMs: nowMs - 1 })
    const elsewhere = signOffer(by, { ...terms, pool: '*', expiresAtMs: nowMs + 1_000_000 })
    const endless = signOffer(by, { ...terms, pool: owner.person, expiresAtMs: Number.MAX_SAFE_INTEGER })
    const have = new Uint8Array()
    await ask<'sync'>(now, { ask: 'sync', pool: owner.person, have, offers: [expired, elsewhere, endless] })
    const { offers } = await ask<'sync'>(now, { ask: 'sync', pool: owner.person, have, offers: [] })
    assert.equal(offers.length, 1, 'only the follower’s own offer is there')
    const strange = createKeyPair(systemRandom).did
    const other = await ask<'sync'>(now, { ask: 'sync', pool: strange, have, offers: [] })
    assert.equal(other.offers.length, 0)
  })

  it('gives nothing to somebody who offers space to a group and is not on its list', async () => {
    const now = await scene()
    await using _party = now.party
    const { party, owner, mallory, certificate } = now
    // it never answers: what is opened to it while it is said to take it stays so for a while
    party.silent.set(mallory.did, 0)
    const group = await owner.replication?.createGroup('friends', [])
    assert.ok(group)
    const issuedAtMs = party.clock.nowMs()
    const terms = { pool: group.id, spaceBytes: 1_000 * GIB, freeBytes: 1_000 * GIB, host: 'm', network: '' }
    const by = { signer: mallory, certificate }
    const offers = [signOffer(by, { ...terms, issuedAtMs, expiresAtMs: issuedAtMs + 1_000_000 })]
    const message = { ask: 'sync', pool: group.id, have: new Uint8Array(), offers } as const
    await ask<'sync'>({ ...now, follower: owner }, message)
    const root = await party.add(owner, { blocks: 3, access: { isPublic: false, readers: [] } })
    await owner.replication?.setGoal(root, { copies: 2 })
    await party.clock.advance(1_000)
    const isServed = party.canFetch(mallory.did, root)
    await party.clock.advance(MINUTE_MS)
    assert.equal(isServed, false)
  })

  it('is crowded by nobody who offers the space of many devices of their own', async () => {
    const { party, owner, publisher, followers } = await meet(5)
    await using _party = party
    // it knows those who follow it
    await publisher.setGoal(await party.add(owner, { blocks: 3 }), { copies: 1, isPublic: true })
    await party.clock.advance(MINUTE_MS)
    const person = createKeyPair(systemRandom)
    const issuedAtMs = party.clock.nowMs()
    const crowd = new Set<string>()
    const offers = Array.from({ length: 90 }, () => {
      const signer = createKeyPair(systemRandom)
      crowd.add(signer.did)
      // it takes whatever it is asked to, and never says another word
      party.silent.set(signer.did, 0)
      const certificate = certifyDevice(person, { device: signer.did, issuedAtMs: 1 })
      const space = { spaceBytes: Number.MAX_SAFE_INTEGER, freeBytes: Number.MAX_SAFE_INTEGER }
      const terms = { ...space, pool: owner.person, host: signer.did.slice(-48), network: '', issuedAtMs }
      return signOffer({ signer, certificate }, { ...terms, expiresAtMs: issuedAtMs + 3_600_000 })
    })
    const message = { ask: 'sync', pool: owner.person, have: new Uint8Array(), offers } as const
    await party.ask(person.did, owner, encodeAsk(message))
    const root = await party.add(owner, { blocks: 3 })
    await publisher.setGoal(root, { copies: 3, isPublic: true })
    await party.clock.advance(1_000)
    const { taking, candidates } = publisher.status(root)
    assert.ok(
      taking.filter((device) => crowd.has(device)).length <= 1,
      'several devices of one person are asked'
    )
    assert.ok(
      candidates <= followers.length + OFFERS_OF_PERSON_MAX,
      `${candidates} offers of one person count`
    )
    await party.clock.advance(2 * MINUTE_MS)
    party.silent.clear()
    assert.equal(party.holders(root).length, 3)
  })

  it('answers whether it keeps something before it has told anybody what it lets go for that', async () => {
    const { party, owner, publisher, followers } = await meet(3)
    await using _party = party
    for (const { replication } of followers)
      await replication?.offer({ spaceBytes: 3_000, publisherBytesMax: 3_000 })
    const root = await party.add(owner, { blocks: 3 })
    await publisher.setGoal(root, { copies: 2, isPublic: true })
    await party.clock.advance(MINUTE_MS)
    assert.equal(party.holders(root).length, 2)
    await publisher.setGoal(root, { copies: 1 })
    // both are one too many by then, and neither has gone yet
    await party.clock.advance(4 * MINUTE_MS)
    const [holder] = party.holders(root)
    assert.ok(holder)
    party.silent.set(owner.device.did, 0)
    const other = await party.add(owner, { blocks: 3 })
    const by = { signer: owner.device, certificate: owner.certificate }
    const goal = signGoal(by, goalOf(other, [owner.person], party.clock.nowMs()))
    const answers: ReplicaAnswers['keep'][] = []
    const asked = party
      .ask(owner.device.did, holder, encodeAsk({ ask: 'keep', goal, holders: [] }))
      .then((answer) => answers.push(decodeAnswer('keep', answer)))
    await party.clock.advance(1_000)
    party.silent.clear()
    assert.deepEqual([answers[0]?.state, party.holders(root).includes(holder)], ['taken', false])
    await asked
  })

  it('answers a device that floods it no more, and others as before', async () => {
    const now = await scene()
    await using _party = now.party
    const flood = async (): Promise<void> => {
      for (let count = 0; count < 400; count++) await ask<'group'>(now, { ask: 'group', id: '*' })
    }
    await assert.rejects(flood())
    const other = createKeyPair(systemRandom)
    const { group } = await ask<'group'>({ ...now, mallory: other }, { ask: 'group', id: '*' })
    assert.equal(group, null)
  })

  it('makes nothing of bytes that are no message', async () => {
    const now = await scene()
    await using _party = now.party
    for (let length = 0; length < 64; length++) {
      const bytes = systemRandom.bytes(length)
      await assert.rejects(now.party.ask(now.mallory.did, now.follower, bytes))
    }
    assert.equal(now.replication.quota().usedBytes, 0)
  })
})
