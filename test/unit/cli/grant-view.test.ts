import assert from 'node:assert/strict'
import type { AuditEntryStatus, GrantStatus } from '#contracts'
import { describeEntry } from '../../../cli/audit-view.ts'
import { capsuleName, denialRow, describeDuration, grantRow, shortToken } from '../../../cli/grant-view.ts'

const GRANT: GrantStatus = {
  cid: 'bafyreifxqmemyuflm4zn3sawrjtjgenhdspimbe5awr7ufs7nqme52bvwa',
  lineage: 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK/hello',
  ...{
    audience: 'did:key:z6MkA',
    subject: 'did:key:z6MkA',
    command: 'localhost/read',
    resource: 'localhost://*'
  },
  ...{ scope: 'always', decidedBy: 'person', grantedAtMs: 0, expiresAtMs: null, epoch: 1, used: 0 }
}

function entry(fields: Record<string, unknown>): AuditEntryStatus {
  const head = {
    number: 7,
    kind: 'verdict',
    timeMs: 0,
    epoch: 1,
    previous: '',
    hash: '',
    lineage: GRANT.lineage
  }
  return { ...head, ...fields }
}

describe('grants on a terminal', () => {
  it('are told apart by the end of their token, which names them on the command line', () => {
    assert.equal(shortToken(GRANT.cid), 'fs7nqme52bvwa'.slice(-12))
    assert.ok(GRANT.cid.endsWith(shortToken(GRANT.cid)))
  })

  it('are called what their owner calls the capsule, and never only what it calls itself', () => {
    assert.equal(capsuleName({ ...GRANT, alias: 'hi' }), 'hi')
    assert.equal(capsuleName(GRANT), 'did:key:z6MkhaXg…/hello')
    assert.equal(capsuleName({ lineage: 'dev:1234/hello' }), 'dev:1234/hello')
  })

  it('say how long they last, what is left, and why they ended', () => {
    const day = { ...GRANT, scope: 'day', expiresAtMs: 86_400_000 } as const
    assert.equal(describeDuration(GRANT), 'always')
    assert.equal(describeDuration({ ...GRANT, usesMax: 3, used: 1 }), 'always, 2 of 3 uses left')
    assert.equal(describeDuration(day), 'until 1970-01-02 00:00Z')
    assert.equal(describeDuration({ ...GRANT, scope: 'session' }), 'this session')
    const over = { ...GRANT, scope: 'session', ended: { code: 'ERR_TOKEN_EXPIRED', atMs: 1 } } as const
    assert.equal(describeDuration(over), 'its session is over')
    assert.equal(describeDuration({ ...day, ended: { code: 'ERR_TOKEN_EXPIRED', atMs: 1 } }), 'expired')
    assert.equal(describeDuration({ ...GRANT, ended: { code: 'ERR_TOKEN_REVOKED', atMs: 1 } }), 'revoked')
  })

  it('say who decided', () => {
    assert.ok(grantRow(GRANT).includes('you'))
    assert.ok(grantRow({ ...GRANT, decidedBy: 'auto' }).includes('nobody: the shell allows all'))
    assert.ok(grantRow({ ...GRANT, delegatedBy: 'did:key:z/mail' }).includes('handed on by did:key:z/mail'))
    assert.deepEqual(denialRow({ ...GRANT, alias: 'hi', atMs: 0 }), [
      'hi',
      'localhost/read',
      'localhost://*',
      'you',
      '1970-01-01 00:00Z'
    ])
  })
})

describe('audit entries on a terminal', () => {
  it('say what was asked, what came of it, and by which token', () => {
    const request = { command: 'localhost/read', resource: 'localhost://notes/a.txt', tokens: [GRANT.cid] }
    const allowed = describeEntry(entry({ ...request, isAllowed: true }))
    assert.match(
      allowed,
      /^1970-01-01T00:00:00\.000Z {6}7 verdict +✓ did:key:z6MkhaXg…\/hello localhost\/read of /
    )
    assert.ok(allowed.endsWith(`by ${shortToken(GRANT.cid)}`))
    const refused = describeEntry(
      entry({ ...request, tokens: [], isAllowed: false, code: 'ERR_CAPABILITY_MISSING' })
    )
    assert.match(refused, /✗ ERR_CAPABILITY_MISSING .*notes\/a\.txt$/)
  })

  it('are one line each, of whatever kind', () => {
    const kinds: Record<string, Record<string, unknown>> = {
      begin: { device: 'did:key:z6MkA', after: 'entry 3 was changed' },
      open: {},
      ceiling: { ceiling: [{}, {}] },
      grant: { cid: GRANT.cid, scope: 'day', decidedBy: 'person', reason: 'to show them' },
      denial: { command: 'localhost/write', resource: 'localhost://*', decidedBy: 'person' },
      forget: {},
      revoke: { cid: GRANT.cid },
      'revoke-all': {},
      'session-end': { sessionId: 's1' },
      summary: { allowed: 3, refused: 4 },
      snapshot: {},
      'of a later version': {}
    }
    for (const [kind, fields] of Object.entries(kinds)) {
      const line = describeEntry(entry({ kind, ...fields }))
      assert.ok(line.includes(kind) && !line.includes('\n') && !line.includes('undefined'), line)
    }
  })
})
