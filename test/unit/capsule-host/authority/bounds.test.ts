import assert from 'node:assert/strict'
import type { Authority, CapsuleError, Grant } from '#capsule-host'
import { MAIL, notesGrant, NOTES, openFixture, reading } from './fixture.ts'

describe('authority: durable answers', () => {
  it('recalls a grant and a denial, after a restart too', async () => {
    const records = new Map<string, Uint8Array>()
    const writing = { lineage: NOTES, command: 'localhost/write', resource: 'localhost://notes/*' }
    {
      await using fixture = await openFixture({ records })
      assert.equal(fixture.authority.recall(writing), undefined)
      await fixture.authority.remember({ ...writing, isAllowed: false, decidedBy: 'person' })
      await fixture.authority.grant(notesGrant())
    }
    await using again = await openFixture({ records })
    const { authority } = again
    assert.equal(authority.recall(writing), 'denied')
    assert.equal(authority.recall({ ...writing, resource: 'localhost://notes/deep/*' }), 'denied')
    assert.equal(authority.recall({ ...writing, resource: 'localhost://other' }), undefined)
    assert.equal(authority.recall({ ...writing, command: 'localhost/read' }), 'granted')
    assert.equal(
      (await authority.authorize(reading({ command: 'localhost/write' }))).code,
      'ERR_CAPABILITY_DENIED'
    )
    assert.equal(authority.denials(NOTES).length, 1)
  })

  it('records a denial for one session, and asks again in the next', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    const writing = { lineage: NOTES, command: 'localhost/write', resource: 'localhost://notes/*' }
    await authority.remember({ ...writing, sessionId: 'session-1', isAllowed: false, decidedBy: 'person' })
    assert.equal(authority.recall({ ...writing, sessionId: 'session-2' }), undefined)
    assert.deepEqual(authority.denials(), [])
    const entry = (await authority.audit.entries()).at(-1)
    assert.ok(entry?.kind === 'denial' && entry.sessionId === 'session-1')
  })

  it('takes a denial back when it is forgotten, or granted after all', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    const writing = { lineage: NOTES, command: 'localhost/write', resource: 'localhost://notes/a.txt' }
    const denial = { ...writing, isAllowed: false, decidedBy: 'person' } as const
    await authority.remember(denial)
    await authority.remember(denial)
    assert.equal(authority.denials().length, 1)
    assert.equal(await authority.forget(NOTES), 1)
    assert.equal(authority.recall(writing), undefined)
    await authority.remember(denial)
    const grant = await authority.grant(notesGrant({ command: 'localhost/write' }))
    assert.equal(authority.recall(writing), 'granted')
    await authority.revoke(grant.cid)
    assert.equal(authority.recall(writing), undefined)
  })

  it('keeps no more denials of a lineage than it may have, the newest ones', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    for (let n = 0; n < 300; n++) {
      const resource = `localhost://file-${n}`
      await authority.remember({
        lineage: NOTES,
        command: 'localhost/read',
        resource,
        isAllowed: false,
        decidedBy: 'person'
      })
    }
    assert.equal(authority.denials(NOTES).length, 256)
    assert.equal(authority.denials(NOTES).at(-1)?.resource, 'localhost://file-299')
  })
})

describe('authority: bounds', () => {
  it('opens again with as much as it can hold', async () => {
    const records = new Map<string, Uint8Array>()
    const ceiling = Array.from({ length: 120 }, (_, n) => ({
      command: 'a/b',
      resource: `localhost://${'x'.repeat(900)}${n}`
    }))
    const held = async (authority: Authority): Promise<void> => {
      for (let n = 0; n < 24; n++) {
        const lineage = `${'l'.repeat(250)}${n}`
        await authority.authorize(reading({ lineage, ceiling }))
        await authority.grant(
          notesGrant({ lineage, reason: '語'.repeat(500), resource: `localhost://${'y/'.repeat(60)}*` })
        )
      }
    }
    {
      await using fixture = await openFixture({ records, snapshotEntries: 10 })
      await held(fixture.authority)
    }
    await using again = await openFixture({ records })
    assert.equal(again.authority.damage, undefined)
    assert.equal(again.authority.list().length, 24)
    assert.equal((await again.authority.audit.replay()).agrees, true)
  })

  it('holds no more live tokens of a lineage than it may, and room comes back when some end', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    const grants: Grant[] = []
    for (let n = 0; n < 256; n++) grants.push(await authority.grant(notesGrant({ usesMax: 1 + n })))
    const over = authority.grant(notesGrant({ usesMax: 1000 }))
    await assert.rejects(over, (thrown: CapsuleError) => thrown.code === 'ERR_GRANT_LIMIT')
    await authority.grant(notesGrant({ lineage: MAIL }))
    await authority.revoke(grants[0]?.cid ?? '')
    await authority.grant(notesGrant({ usesMax: 1000 }))
    assert.equal(authority.list({ lineage: NOTES, hasEnded: true }).length, 256)
    assert.equal((await authority.audit.replay()).agrees, true)
  })

  it('holds a token once, however often the same is granted', async () => {
    await using fixture = await openFixture()
    const first = await fixture.authority.grant(notesGrant())
    const second = await fixture.authority.grant(notesGrant())
    assert.equal(first.cid, second.cid)
    assert.equal(fixture.authority.list().length, 1)
  })
})
