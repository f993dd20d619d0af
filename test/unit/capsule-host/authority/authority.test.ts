import assert from 'node:assert/strict'
import { CapabilityError } from '#capability'
import type { CapsuleError, Grant } from '#capsule-host'
import { createKeyPair } from '#did'
import { createSeededRandom } from '../../../support/seeded-random.ts'
import { MAIL, notesGrant, NOTES, openFixture, reading } from './fixture.ts'

const HOUR_MS = 3_600_000

describe('authority: grants and verdicts', () => {
  it('refuses what nobody granted, and allows what was granted', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    assert.equal((await authority.authorize(reading())).code, 'ERR_CAPABILITY_MISSING')
    const grant = await authority.grant(notesGrant())
    const verdict = await authority.authorize(reading())
    assert.equal(verdict.isAllowed, true)
    assert.deepEqual(verdict.tokens, [grant.cid])
    assert.equal(verdict.subject, authority.audienceOf(NOTES))
  })

  it('never lets a token of one command do another', async () => {
    await using fixture = await openFixture()
    await fixture.authority.grant(notesGrant())
    for (const command of [
      'localhost/write',
      'localhost/delete',
      'localhost/list',
      'localhost/*',
      'did/read'
    ]) {
      assert.equal((await fixture.authority.authorize(reading({ command }))).isAllowed, false, command)
    }
  })

  it('keeps a grant to its resource, its subject, its lineage and the ceiling', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    await authority.grant(notesGrant({ resource: 'localhost://notes/*' }))
    const refused = [
      reading({ resource: 'localhost://other/a.txt' }),
      reading({ resource: 'localhost://notes/../keys' }),
      reading({ subject: authority.audienceOf(MAIL) }),
      reading({ lineage: MAIL }),
      reading({ ceiling: [] }),
      reading({ ceiling: [{ command: 'localhost/list', resource: 'localhost://*' }] })
    ]
    for (const request of refused) {
      assert.equal((await authority.authorize(request)).isAllowed, false, JSON.stringify(request))
    }
    assert.equal((await authority.authorize(reading({ ceiling: [] }))).code, 'ERR_TOKEN_CEILING')
  })

  it('gives a lineage the same did after a restart, and another on another device', async () => {
    await using fixture = await openFixture()
    await using again = await openFixture({ records: new Map(fixture.records) })
    await using other = await openFixture({ device: createKeyPair(createSeededRandom(2)) })
    const dids = [fixture, again, other].map(({ authority }) => authority.audienceOf(NOTES))
    assert.equal(dids[0], dids[1])
    assert.notEqual(dids[0], dids[2])
    assert.notEqual(dids[0], fixture.authority.audienceOf(MAIL))
    assert.notEqual(dids[0], fixture.authority.deviceDid)
  })

  it('refuses names of no command or resource in a verdict, and throws for them in a grant', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    await authority.grant(notesGrant({ command: 'localhost/*', resource: 'localhost://*' }))
    for (const resource of [
      'localhost://a/../b',
      'localhost://a//b',
      'file:///etc/passwd',
      '\ud800',
      'x'.repeat(5000)
    ]) {
      assert.equal((await authority.authorize(reading({ resource }))).code, 'ERR_RESOURCE_INVALID', resource)
      await assert.rejects(authority.grant(notesGrant({ resource })), CapabilityError)
    }
    assert.equal((await authority.authorize(reading({ command: 'read' }))).code, 'ERR_COMMAND_INVALID')
    assert.equal((await authority.audit.replay()).agrees, true)
  })

  it('answers a request that no log could hold with a refusal', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    const requests = [
      reading({ lineage: 'x'.repeat(1000) }),
      reading({ lineage: '' }),
      reading({ sessionId: 'x'.repeat(1000) }),
      reading({ providerCid: 'x'.repeat(1000) }),
      reading({ subject: 'did:key:z0' }),
      reading({ ceiling: [{ command: 'x'.repeat(5000), resource: 'localhost://*' }] }),
      reading({
        ceiling: Array.from({ length: 1000 }, () => ({ command: 'a/b', resource: 'localhost://*' }))
      })
    ]
    for (const request of requests) {
      assert.equal((await authority.authorize(request)).code, 'ERR_GRANT_INVALID')
    }
    assert.equal((await authority.audit.verify()).isWhole, true)
  })
})

describe('authority: how long a grant lasts', () => {
  it('takes one use of a grant for once, and no second', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    await authority.grant(notesGrant({ scope: 'once' }))
    assert.equal((await authority.authorize(reading())).isAllowed, true)
    assert.equal((await authority.authorize(reading())).code, 'ERR_TOKEN_USED_UP')
  })

  it('gives the last use to exactly one of many who ask at once', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    await authority.grant(notesGrant({ usesMax: 3 }))
    const verdicts = await Promise.all(Array.from({ length: 20 }, () => authority.authorize(reading())))
    assert.equal(verdicts.filter(({ isAllowed }) => isAllowed).length, 3)
  })

  it('spares counted tokens while one without a count will do', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    await authority.grant(notesGrant({ usesMax: 1 }))
    await authority.grant(notesGrant())
    await authority.authorize(reading())
    assert.deepEqual(
      authority.list().map(({ used }) => used),
      [0, 0]
    )
  })

  it('ends a grant for a day after a day, one for a session with the session', async () => {
    await using fixture = await openFixture()
    const { authority, clock } = fixture
    await authority.grant(notesGrant({ scope: 'day' }))
    await clock.advance(24 * HOUR_MS - 1)
    assert.equal((await authority.authorize(reading())).isAllowed, true)
    await clock.advance(1)
    assert.equal((await authority.authorize(reading())).code, 'ERR_TOKEN_EXPIRED')
    await authority.grant(notesGrant({ scope: 'session', sessionId: 'session-1' }))
    assert.equal((await authority.authorize(reading())).isAllowed, true)
    assert.equal((await authority.authorize(reading({ sessionId: 'session-2' }))).isAllowed, false)
    await authority.endSession('session-1')
    assert.equal((await authority.authorize(reading())).code, 'ERR_TOKEN_EXPIRED')
    const { checks } = await authority.why(reading())
    assert.match(checks.find(({ isOk }) => !isOk)?.detail ?? '', /a session that is over/)
  })

  it('ends every grant for a session when the node starts again, and keeps the others', async () => {
    const records = new Map<string, Uint8Array>()
    {
      await using fixture = await openFixture({ records })
      await fixture.authority.grant(notesGrant({ scope: 'session', sessionId: 'session-1' }))
      await fixture.authority.grant(notesGrant({ command: 'localhost/list' }))
    }
    await using again = await openFixture({ records })
    assert.equal((await again.authority.authorize(reading())).isAllowed, false)
    assert.equal((await again.authority.authorize(reading({ command: 'localhost/list' }))).isAllowed, true)
  })

  it('insists on a session for a grant that lasts one', async () => {
    await using fixture = await openFixture()
    const refused = fixture.authority.grant(notesGrant({ scope: 'session' }))
    await assert.rejects(refused, (thrown: CapsuleError) => thrown.code === 'ERR_GRANT_INVALID')
  })
})

describe('authority: revocation', () => {
  it('ends a token, and tells who listens, with what was made from it', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    const parent = await authority.grant(notesGrant())
    const child = await authority.delegate({ from: NOTES, tokenCid: parent.cid, to: MAIL, narrower: {} })
    const request = reading({ lineage: MAIL, subject: authority.audienceOf(NOTES) })
    assert.equal((await authority.authorize(request)).isAllowed, true)
    const told: [string, string][] = []
    using _listening = authority.onRevoked(({ cid }, code) => told.push([cid, code]))
    const ended = await authority.revoke(parent.cid)
    assert.deepEqual(
      told,
      [parent.cid, child.cid].map((cid) => [cid, 'ERR_TOKEN_REVOKED'])
    )
    assert.deepEqual(
      ended.map(({ cid }) => cid),
      [parent.cid, child.cid]
    )
    assert.equal((await authority.authorize(reading())).code, 'ERR_TOKEN_REVOKED')
    assert.equal((await authority.authorize(request)).isAllowed, false)
    assert.deepEqual(await authority.revoke(parent.cid), [])
    await assert.rejects(
      authority.revoke('bafyunknown'),
      (thrown: CapsuleError) => thrown.code === 'ERR_GRANT_UNKNOWN'
    )
  })

  it('revokes all of a lineage, and everything of this device with a new epoch', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    await authority.grant(notesGrant())
    await authority.grant(notesGrant({ command: 'localhost/list' }))
    await authority.grant(notesGrant({ lineage: MAIL }))
    assert.equal((await authority.revokeLineage(NOTES)).length, 2)
    assert.equal((await authority.authorize(reading({ lineage: MAIL }))).isAllowed, true)
    const { epoch } = authority
    assert.equal((await authority.revokeAll()).length, 1)
    assert.equal(authority.epoch, epoch + 1)
    assert.equal((await authority.authorize(reading({ lineage: MAIL }))).code, 'ERR_TOKEN_EPOCH')
    await authority.grant(notesGrant({ lineage: MAIL }))
    assert.equal((await authority.authorize(reading({ lineage: MAIL }))).isAllowed, true)
  })

  it('remembers revocations and the epoch after a restart', async () => {
    const records = new Map<string, Uint8Array>()
    let epoch: number
    {
      await using fixture = await openFixture({ records })
      const grant = await fixture.authority.grant(notesGrant())
      await fixture.authority.revoke(grant.cid)
      await fixture.authority.grant(notesGrant({ lineage: MAIL }))
      await fixture.authority.revokeAll()
      epoch = fixture.authority.epoch
    }
    await using again = await openFixture({ records })
    assert.equal(again.authority.epoch, epoch)
    assert.equal((await again.authority.authorize(reading())).isAllowed, false)
    assert.equal((await again.authority.authorize(reading({ lineage: MAIL }))).isAllowed, false)
  })

  it('lets an open file be looked at without a use, until its token is revoked or expires', async () => {
    await using fixture = await openFixture()
    const { authority, clock } = fixture
    const once = await authority.grant(notesGrant({ scope: 'once' }))
    assert.equal((await authority.authorize(reading())).isAllowed, true)
    assert.equal(authority.peek(reading(), { tokenCid: once.cid }).isAllowed, true)
    assert.equal(authority.peek(reading()).isAllowed, false)
    assert.equal(authority.peek(reading({ lineage: MAIL }), { tokenCid: once.cid }).isAllowed, false)
    await clock.advance(HOUR_MS)
    assert.equal(authority.peek(reading(), { tokenCid: once.cid }).code, 'ERR_TOKEN_EXPIRED')
    const always = await authority.grant(notesGrant())
    assert.equal(authority.peek(reading(), { tokenCid: always.cid }).isAllowed, true)
    await authority.revoke(always.cid)
    assert.equal(authority.peek(reading(), { tokenCid: always.cid }).isAllowed, false)
  })
})

describe('authority: delegation', () => {
  it('hands on less, never more, and counts uses of every link', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    const parent = await authority.grant(notesGrant({ usesMax: 2 }))
    const delegation = { from: NOTES, tokenCid: parent.cid, to: MAIL }
    const wider = [{ resource: 'localhost://*' }, { command: 'localhost/*' }, { usesMax: 3 }]
    for (const narrower of wider) {
      const refused = authority.delegate({ ...delegation, narrower })
      await assert.rejects(refused, (thrown: CapabilityError) => thrown.code === 'ERR_TOKEN_WIDER')
    }
    await authority.delegate({ ...delegation, narrower: { resource: 'localhost://notes/shared/*' } })
    const shared = reading({
      ...{ lineage: MAIL, subject: authority.audienceOf(NOTES), resource: 'localhost://notes/shared/x' }
    })
    assert.equal(
      (await authority.authorize({ ...shared, resource: 'localhost://notes/own' })).isAllowed,
      false
    )
    assert.equal((await authority.authorize(shared)).isAllowed, true)
    assert.equal((await authority.authorize(reading())).isAllowed, true)
    assert.equal((await authority.authorize(shared)).code, 'ERR_TOKEN_USED_UP')
  })

  it('does not hand on what another lineage holds, what has ended, or more often than a chain may be long', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    const grant = await authority.grant(notesGrant())
    const stolen = authority.delegate({ from: MAIL, tokenCid: grant.cid, to: MAIL, narrower: {} })
    await assert.rejects(stolen, (thrown: CapsuleError) => thrown.code === 'ERR_GRANT_UNKNOWN')
    let last: Grant = grant
    for (let link = 2; link <= 8; link++) {
      const [from, to] = [last.lineage, `did:key:zx/${link}`]
      last = await authority.delegate({ from, tokenCid: last.cid, to, narrower: {} })
    }
    const deeper = { from: last.lineage, tokenCid: last.cid, to: MAIL, narrower: {} }
    await assert.rejects(
      authority.delegate(deeper),
      (thrown: CapabilityError) => thrown.code === 'ERR_TOKEN_DEPTH'
    )
    await authority.revoke(grant.cid)
    const ended = authority.delegate({ from: NOTES, tokenCid: grant.cid, to: MAIL, narrower: {} })
    await assert.rejects(ended, (thrown: CapabilityError) => thrown.code === 'ERR_TOKEN_REVOKED')
  })

  it('ends with the session of who handed it on', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    const parent = await authority.grant(notesGrant({ scope: 'session', sessionId: 'session-1' }))
    await authority.delegate({ from: NOTES, tokenCid: parent.cid, to: MAIL, narrower: {} })
    const request = reading({ lineage: MAIL, sessionId: 'session-9', subject: authority.audienceOf(NOTES) })
    assert.equal((await authority.authorize(request)).isAllowed, true)
    await authority.endSession('session-1')
    assert.equal((await authority.authorize(request)).isAllowed, false)
  })
})
