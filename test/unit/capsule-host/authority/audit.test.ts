import assert from 'node:assert/strict'
import type { Authority, RecordedEntry } from '#capsule-host'
import { createKeyPair } from '#did'
import { createSeededRandom } from '../../../support/seeded-random.ts'
import { forgeVerdict } from './forged-log.ts'
import { MAIL, notesGrant, NOTES, openFixture, reading, type AuthorityFixture } from './fixture.ts'

const ENTRY = 'entry/'

function keys(records: Map<string, Uint8Array>, prefix: string): string[] {
  return [...records.keys()].filter((key) => key.startsWith(prefix)).sort()
}

/** A little of everything. */
async function live(authority: Authority): Promise<void> {
  await authority.authorize(reading())
  await authority.grant(notesGrant({ usesMax: 3, reason: 'to show them' }))
  for (let n = 0; n < 4; n++) await authority.authorize(reading())
  const grant = await authority.grant(notesGrant({ lineage: MAIL }))
  await authority.delegate({ from: MAIL, tokenCid: grant.cid, to: NOTES, narrower: { usesMax: 2 } })
  await authority.authorize(reading({ subject: authority.audienceOf(MAIL) }))
  const denied = { lineage: NOTES, command: 'localhost/write', resource: 'localhost://*' }
  await authority.remember({ ...denied, isAllowed: false, decidedBy: 'person' })
  await authority.authorize(reading({ command: 'localhost/write' }))
  await authority.revoke(grant.cid)
  await authority.authorize(reading({ lineage: MAIL }))
  await authority.forget(NOTES)
  await authority.grant(notesGrant({ scope: 'session', sessionId: 'session-1' }))
  await authority.endSession('session-1')
  await authority.revokeAll()
  await authority.authorize(reading())
}

async function livedRecords(): Promise<Map<string, Uint8Array>> {
  await using fixture = await openFixture()
  await live(fixture.authority)
  await fixture.authority.audit.verify()
  return new Map(fixture.records)
}

describe('audit: the log', () => {
  it('tells every decision with what it depended on', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    await live(authority)
    const entries = await authority.audit.entries()
    const kinds = entries.map(({ kind }) => kind)
    assert.deepEqual(kinds.slice(0, 4), ['begin', 'ceiling', 'verdict', 'grant'])
    for (const kind of ['denial', 'forget', 'revoke', 'revoke-all', 'session-end'] as const) {
      assert.ok(kinds.includes(kind), kind)
    }
    const counted = entries
      .filter((entry) => entry.kind === 'verdict')
      .filter(({ counts }) => counts.length === 1)
    assert.deepEqual(
      counted.map(({ counts, isAllowed, code }) => [counts[0]?.used, isAllowed, code]).slice(0, 4),
      [
        [0, true, undefined],
        [1, true, undefined],
        [2, true, undefined],
        [3, false, 'ERR_TOKEN_USED_UP']
      ]
    )
    for (const [index, entry] of entries.entries()) {
      assert.equal(entry.number, index)
      if (index > 0) assert.equal(entry.previous, entries[index - 1]?.hash)
    }
  })

  it('gives entries from a number on, and the newest ones', async () => {
    await using fixture = await openFixture({ records: await livedRecords() })
    const { audit } = fixture.authority
    const all = await audit.entries()
    assert.deepEqual(await audit.entries({ from: 3, limit: 2 }), all.slice(3, 5))
    assert.deepEqual(await audit.entries({ limit: 2 }), all.slice(-2))
    assert.deepEqual(await audit.entries({ from: 10_000 }), [])
    assert.deepEqual(await audit.entries({ limit: 0 }), [])
  })

  it('can be followed until who follows has enough', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    const stop = new AbortController()
    const seen: RecordedEntry[] = []
    const following = (async () => {
      for await (const entry of authority.audit.follow(stop.signal)) {
        seen.push(entry)
        if (entry.kind === 'grant') stop.abort()
      }
    })()
    await authority.authorize(reading())
    await authority.grant(notesGrant())
    await following
    assert.deepEqual(
      seen.map(({ kind }) => kind),
      ['ceiling', 'verdict', 'grant']
    )
  })

  it('sums up what one capsule asks without end, and keeps every taken use', async () => {
    await using fixture = await openFixture()
    const { authority, clock } = fixture
    for (let n = 0; n < 2000; n++) await authority.authorize(reading({ resource: `localhost://flood-${n}` }))
    await authority.grant(notesGrant({ usesMax: 500 }))
    for (let n = 0; n < 400; n++) await authority.authorize(reading())
    await clock.advance(2000)
    const counts = new Map<string, number>()
    for (let from = 0; ; from += 1000) {
      const entries = await authority.audit.entries({ from })
      for (const { kind } of entries) counts.set(kind, (counts.get(kind) ?? 0) + 1)
      for (const entry of entries) {
        if (entry.kind === 'summary') assert.equal(entry.refused, 2000 - 256)
      }
      if (entries.length < 1000) break
    }
    assert.equal(counts.get('verdict'), 256 + 400)
    assert.equal(counts.get('summary'), 1)
    assert.equal((await authority.audit.replay()).agrees, true)
  })
})

describe('audit: replay', () => {
  it('derives every verdict again', async () => {
    await using fixture = await openFixture({ records: await livedRecords() })
    const report = await fixture.authority.audit.replay()
    assert.equal(report.agrees, true, JSON.stringify(report))
    assert.ok(report.verdicts >= 9)
  })

  it('finds a verdict that does not follow, even in a log that is signed as a whole', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    await authority.grant(notesGrant({ usesMax: 1 }))
    await authority.authorize(reading())
    assert.equal((await authority.audit.replay()).agrees, true)
    const records = forgeVerdict(fixture.records)
    await using again = await openFixture({ records })
    assert.equal((await again.authority.audit.verify()).isWhole, true)
    const report = await again.authority.audit.replay()
    assert.equal(report.agrees, false)
    assert.equal(report.differing, 1)
  })
})

describe('audit: what was changed is found', () => {
  const damages: Record<string, { code: string; damage: (records: Map<string, Uint8Array>) => void }> = {
    'a changed entry': {
      code: 'ERR_AUDIT_TAMPERED',
      damage: (records) => flip(records, keys(records, ENTRY)[5])
    },
    'a changed last entry': {
      code: 'ERR_AUDIT_TAMPERED',
      damage: (records) => flip(records, keys(records, ENTRY).at(-1))
    },
    'an entry taken out': {
      code: 'ERR_AUDIT_TAMPERED',
      damage: (records) => records.delete(keys(records, ENTRY)[4] ?? '')
    },
    'an entry put in the place of another': {
      code: 'ERR_AUDIT_TAMPERED',
      damage: (records) =>
        records.set(
          keys(records, ENTRY)[4] ?? '',
          records.get(keys(records, ENTRY)[3] ?? '') ?? new Uint8Array()
        )
    },
    'a cut tail': {
      code: 'ERR_AUDIT_CUT',
      damage: (records) => {
        for (const key of keys(records, ENTRY).slice(-3)) records.delete(key)
      }
    },
    'every entry removed': {
      code: 'ERR_AUDIT_CUT',
      damage: (records) => {
        for (const key of keys(records, ENTRY)) records.delete(key)
      }
    },
    'a head removed': { code: 'ERR_AUDIT_CUT', damage: (records) => records.delete('head') },
    'a changed head': { code: 'ERR_AUDIT_TAMPERED', damage: (records) => flip(records, 'head') }
  }
  for (const [name, { code, damage }] of Object.entries(damages)) {
    it(`finds ${name}, and allows nothing until everything is revoked`, async () => {
      const records = await livedRecords()
      damage(records)
      await using fixture = await openFixture({ records })
      const { authority } = fixture
      const report = await authority.audit.verify()
      assert.equal(report.isWhole, false)
      assert.equal(report.problem?.code, code)
      await refusesEverything(fixture)
      await authority.revokeAll()
      assert.equal(authority.damage, undefined)
      assert.equal((await authority.audit.verify()).isWhole, true)
      const [begin] = await authority.audit.entries()
      assert.ok(begin?.kind === 'begin' && begin.after !== undefined)
      await authority.grant(notesGrant())
      assert.equal((await authority.authorize(reading())).isAllowed, true)
    })
  }

  it('finds a log that is another device’s', async () => {
    const records = await livedRecords()
    await using fixture = await openFixture({ records, device: createKeyPair(createSeededRandom(9)) })
    assert.equal((await fixture.authority.audit.verify()).isWhole, false)
    await refusesEverything(fixture)
  })

  it('finds the whole store replaced by an older copy of itself, or by none', async () => {
    const records = new Map<string, Uint8Array>()
    await using fixture = await openFixture({ records })
    const { cid } = await fixture.authority.grant(notesGrant())
    const older = new Map(records)
    await fixture.authority.revoke(cid)
    await fixture[Symbol.asyncDispose]()
    const mark = records.get('mark') ?? new Uint8Array()
    for (const copy of [older, new Map<string, Uint8Array>()]) {
      copy.set('mark', mark)
      await using again = await openFixture({ records: copy })
      assert.equal((await again.authority.audit.verify()).problem?.code, 'ERR_AUDIT_CUT')
      await refusesEverything(again)
    }
  })

  it('finds a cut tail in the store of a running node', async () => {
    await using fixture = await openFixture()
    await live(fixture.authority)
    const head = fixture.records.get('head') ?? new Uint8Array()
    const before = new Set(fixture.records.keys())
    await fixture.authority.grant(notesGrant())
    for (const key of fixture.records.keys()) if (!before.has(key)) fixture.records.delete(key)
    fixture.records.set('head', head)
    const report = await fixture.authority.audit.verify()
    assert.equal(report.problem?.code, 'ERR_AUDIT_CUT')
  })
})

describe('audit: rotation', () => {
  it('keeps a bounded log that can still be verified and replayed, and forgets no grant', async () => {
    const records = new Map<string, Uint8Array>()
    const bounds = { auditBytesMax: 40_000, snapshotEntries: 50 }
    {
      await using fixture = await openFixture({ records, ...bounds })
      const { authority } = fixture
      const revoked = await authority.grant(notesGrant({ command: 'localhost/list' }))
      await authority.revoke(revoked.cid)
      await authority.grant(notesGrant({ usesMax: 1000 }))
      for (let n = 0; n < 600; n++) await authority.authorize(reading())
      const report = await authority.audit.verify()
      assert.equal(report.isWhole, true, JSON.stringify(report))
      assert.ok(report.first > 300 && report.entries < 200, JSON.stringify(report))
      assert.equal((await authority.audit.replay()).agrees, true)
      const bytes = records.values().reduce((sum, { length }) => sum + length, 0)
      assert.ok(bytes < 80_000, `${bytes} bytes`)
    }
    await using again = await openFixture({ records, ...bounds })
    const { authority } = again
    assert.equal((await authority.authorize(reading({ command: 'localhost/list' }))).isAllowed, false)
    assert.equal(authority.list()[0]?.used, 600)
    for (let n = 0; n < 200; n++) await authority.authorize(reading())
    assert.equal((await authority.audit.verify()).isWhole, true)
    const replay = await authority.audit.replay()
    assert.equal(replay.agrees, true, JSON.stringify(replay))
  })

  for (const kind of ['snapshot/', 'checkpoint/']) {
    it(`finds a changed ${kind.slice(0, -1)}`, async () => {
      const records = new Map<string, Uint8Array>()
      {
        await using fixture = await openFixture({ records, snapshotEntries: 10 })
        await live(fixture.authority)
      }
      flip(records, keys(records, kind).at(-1))
      await using again = await openFixture({ records })
      assert.equal((await again.authority.audit.verify()).problem?.code, 'ERR_AUDIT_TAMPERED')
      await refusesEverything(again)
    })
  }
})

function flip(records: Map<string, Uint8Array>, key: string | undefined): void {
  const bytes = Uint8Array.from(records.get(key ?? '') ?? [])
  const at = Math.floor(bytes.length / 2)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  records.set(key ?? '', bytes)
}

async function refusesEverything({ authority }: AuthorityFixture): Promise<void> {
  assert.notEqual(authority.damage, undefined)
  assert.equal((await authority.authorize(reading())).code, 'ERR_AUTHORITY_DAMAGED')
  assert.equal(authority.peek(reading()).isAllowed, false)
  assert.equal((await authority.why(reading())).code, 'ERR_AUTHORITY_DAMAGED')
  await assert.rejects(authority.grant(notesGrant()), { code: 'ERR_AUTHORITY_DAMAGED' })
  await assert.rejects(authority.remember({ ...notesGrant(), isAllowed: false }), {
    code: 'ERR_AUTHORITY_DAMAGED'
  })
  assert.equal(authority.recall(notesGrant()), undefined)
}
