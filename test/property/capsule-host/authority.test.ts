import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { AccessRequest, Authority, AccessVerdict } from '#capsule-host'
import { decodeEntry, encodeEntry } from '../../../capsule-host/authority/entry-codec.ts'
import { openHead } from '../../../capsule-host/authority/journal.ts'
import { decodeState, encodeState } from '../../../capsule-host/authority/snapshot.ts'
import { DEVICE, openFixture, type AuthorityFixture } from '../../unit/capsule-host/authority/fixture.ts'

const LINEAGES = ['did:key:zP/a', 'did:key:zP/b', 'did:key:zQ/c'] as const
const SESSIONS = ['s1', 's2'] as const
const COMMANDS = ['localhost/read', 'localhost/write', 'localhost/*'] as const
const PATTERNS = ['localhost://*', 'localhost://n/*', 'localhost://n/a', 'localhost://m/*'] as const
const RESOURCES = [
  'localhost://n/a',
  'localhost://n/b',
  'localhost://m/x',
  'localhost://n/../m',
  'odd\ud800'
] as const
const CEILINGS = [
  [{ command: 'localhost/*', resource: 'localhost://*' }],
  [{ command: 'localhost/read', resource: 'localhost://n/*' }]
] as const

const lineage = fc.constantFrom(...LINEAGES)
const nth = fc.nat(20)

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('grant' as const),
      lineage,
      command: fc.constantFrom(...COMMANDS),
      resource: fc.constantFrom(...PATTERNS),
      scope: fc.constantFrom('once', 'session', 'day', 'always'),
      sessionId: fc.constantFrom(...SESSIONS),
      usesMax: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined })
    })
  },
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('use' as const),
      lineage,
      subjectOf: lineage,
      isOwn: fc.boolean(),
      command: fc.constantFrom('localhost/read', 'localhost/write', 'nonsense'),
      resource: fc.constantFrom(...RESOURCES),
      sessionId: fc.constantFrom(...SESSIONS),
      ceiling: fc.constantFrom(...CEILINGS),
      times: fc.integer({ min: 1, max: 4 })
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('delegate' as const),
      nth,
      to: lineage,
      usesMax: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined })
    })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('revoke' as const), nth }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('deny' as const),
      lineage,
      command: fc.constantFrom(...COMMANDS),
      resource: fc.constantFrom(...PATTERNS)
    })
  },
  fc.record({ do: fc.constant('forget' as const), lineage }),
  fc.record({ do: fc.constant('end-session' as const), sessionId: fc.constantFrom(...SESSIONS) }),
  fc.record({ do: fc.constant('revoke-lineage' as const), lineage }),
  fc.record({ do: fc.constant('revoke-all' as const) }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 40_000_000 }) }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant('restart' as const) }) }
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

/** What is said of an access, and whether a grant for a session, or one made from it, was looked at for it. */
interface Verdict {
  readonly line: string
  readonly isAllowed: boolean
  readonly isOfSession: boolean
}

/** What was allowed and ended so far, by token. */
interface Seen {
  readonly uses: Map<string, number>
  readonly usesMax: Map<string, number>
  readonly ended: Set<string>
  /** Tokens of the epoch, all of which a new one ends. */
  readonly issued: Set<string>
}

async function perform(
  fixture: AuthorityFixture,
  one: Exclude<Step, { do: 'restart' }>,
  seen: Seen
): Promise<void> {
  const { authority, clock } = fixture
  switch (one.do) {
    case 'grant': {
      const { usesMax, scope, sessionId, do: _do, ...rest } = one
      const grant = await authority.grant({
        ...{ ...rest, scope, decidedBy: 'person' },
        ...(scope === 'session' ? { sessionId } : {}),
        ...(usesMax === undefined ? {} : { usesMax })
      })
      seen.issued.add(grant.cid)
      if (grant.usesMax !== undefined) seen.usesMax.set(grant.cid, grant.usesMax)
      return
    }
    case 'use': {
      const { subjectOf, isOwn, times, do: _do, ...rest } = one
      const request: AccessRequest = {
        ...rest,
        ...(isOwn ? {} : { subject: authority.audienceOf(subjectOf) })
      }
      const verdicts = await Promise.all(Array.from({ length: times }, () => authority.authorize(request)))
      for (const verdict of verdicts) note(seen, verdict)
      return
    }
    case 'delegate': {
      const held = authority.list()[one.nth]
      if (held === undefined) return
      const narrower = one.usesMax === undefined ? {} : { usesMax: one.usesMax }
      const child = await authority
        .delegate({ from: held.lineage, tokenCid: held.cid, to: one.to, narrower })
        .catch(() => undefined)
      if (child === undefined) return
      seen.issued.add(child.cid)
      if (child.usesMax !== undefined) seen.usesMax.set(child.cid, child.usesMax)
      return
    }
    case 'wait':
      await clock.advance(one.ms)
      return
    default:
      await takeBack(authority, one, seen)
  }
}

/** What ends grants, or only says no. */
async function takeBack(
  authority: Authority,
  one: Exclude<Step, { do: 'restart' | 'grant' | 'use' | 'delegate' | 'wait' }>,
  seen: Seen
): Promise<void> {
  switch (one.do) {
    case 'revoke': {
      const held = authority.list()[one.nth]
      if (held !== undefined) for (const { cid } of await authority.revoke(held.cid)) seen.ended.add(cid)
      return
    }
    case 'revoke-lineage':
      for (const { cid } of await authority.revokeLineage(one.lineage)) seen.ended.add(cid)
      return
    case 'revoke-all':
      await authority.revokeAll()
      for (const cid of seen.issued) seen.ended.add(cid)
      return
    case 'deny':
      await authority.remember({ ...one, isAllowed: false, decidedBy: 'person' })
      return
    case 'forget':
      await authority.forget(one.lineage)
      return
    case 'end-session':
      await authority.endSession(one.sessionId)
  }
}

function note({ uses, usesMax, ended }: Seen, { isAllowed, tokens }: AccessVerdict): void {
  if (!isAllowed) return
  for (const cid of tokens) {
    assert.ok(!ended.has(cid), 'a token that was revoked allowed something')
    uses.set(cid, (uses.get(cid) ?? 0) + 1)
    assert.ok(
      (uses.get(cid) ?? 0) <= (usesMax.get(cid) ?? Infinity),
      'a token was used more often than it may be'
    )
  }
}

/** Everything that can be asked without taking a use. */
function verdictsOf(authority: Authority): Verdict[] {
  const sessions = new Set(
    authority.list({ hasEnded: true }).flatMap(({ cid, sessionId }) => (sessionId === undefined ? [] : cid))
  )
  return LINEAGES.flatMap((holder) =>
    RESOURCES.slice(0, 3).map((resource) => {
      const request = {
        lineage: holder,
        sessionId: 'none',
        ceiling: CEILINGS[0],
        command: 'localhost/read',
        resource
      }
      const { isAllowed, code, tokens } = authority.peek(request)
      const line = `${holder} ${resource} ${isAllowed} ${code} ${tokens.join()}`
      return { line, isAllowed, isOfSession: tokens.some((cid) => sessions.has(cid)) }
    })
  )
}

/** A restart changes nothing, but that it ends every session, with all that was handed on in one. */
function assertSurvived(after: readonly Verdict[], before: readonly Verdict[]): void {
  const lines = (verdicts: readonly Verdict[]): string[] =>
    verdicts.flatMap(({ line }, index) => (before[index]?.isOfSession === true ? [] : line))
  assert.deepEqual(lines(after), lines(before))
  assert.ok(after.every(({ isAllowed, isOfSession }) => !(isAllowed && isOfSession)))
}

/** A session's grant is handed on to somebody who may use it in any session, until the node starts again. */
const HANDED_ON: Step[] = [
  {
    ...{ do: 'grant', lineage: LINEAGES[2], command: 'localhost/read', resource: 'localhost://*' },
    ...{ scope: 'session', sessionId: 's2', usesMax: undefined }
  },
  { do: 'delegate', nth: 0, to: LINEAGES[2], usesMax: undefined },
  { do: 'end-session', sessionId: 's1' },
  { do: 'restart' }
]

describe('authority: any history', () => {
  it('never allows more than was granted, survives restarts, and replays to what was decided', async () => {
    const property = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
      const bounds = { snapshotEntries: 12, auditBytesMax: 12_000 }
      let fixture = await openFixture(bounds)
      const seen: Seen = { uses: new Map(), usesMax: new Map(), ended: new Set(), issued: new Set() }
      for (const one of steps) {
        if (one.do !== 'restart') {
          await perform(fixture, one, seen)
          continue
        }
        const { records, clock } = fixture
        const before = verdictsOf(fixture.authority)
        await fixture[Symbol.asyncDispose]()
        fixture = await openFixture({ records, clock, ...bounds })
        assertSurvived(verdictsOf(fixture.authority), before)
      }
      const { audit } = fixture.authority
      assert.equal((await audit.verify()).isWhole, true)
      const replay = await audit.replay()
      assert.equal(replay.agrees, true, JSON.stringify(replay))
      await fixture[Symbol.asyncDispose]()
    })
    await fc.assert(property, { numRuns: 60, examples: [[HANDED_ON]] })
  })
})

describe('authority: bytes of the store', () => {
  it('are decoded only when they are the one encoding of something', async () => {
    await using fixture = await openFixture({ snapshotEntries: 4 })
    const { authority } = fixture
    const own = { lineage: LINEAGES[0], command: 'localhost/read', resource: 'localhost://n/*' }
    await authority.grant({ ...own, scope: 'always', usesMax: 3, decidedBy: 'person', reason: 'why' })
    await authority.remember({ ...own, command: 'localhost/write', isAllowed: false, decidedBy: 'auto' })
    await authority.authorize({ ...own, resource: 'localhost://n/a', sessionId: 's1', ceiling: CEILINGS[0] })
    await authority.audit.verify()
    const originals = [...fixture.records]
    const mutation = fc.record({
      which: fc.nat(originals.length - 1),
      at: fc.nat(),
      remove: fc.nat(3),
      insert: fc.uint8Array({ maxLength: 3 })
    })
    fc.assert(
      fc.property(mutation, ({ which, at, remove, insert }) => {
        const [key, bytes] = originals[which] ?? ['', new Uint8Array()]
        const place = at % bytes.length
        const mutated = Uint8Array.from(
          Buffer.concat([bytes.subarray(0, place), insert, bytes.subarray(place + remove)])
        )
        if (Buffer.compare(mutated, bytes) === 0) return
        if (key === 'head' || key.startsWith('checkpoint/'))
          assert.equal(openHead(DEVICE.did, mutated), undefined)
        else if (key.startsWith('entry/'))
          assertCanonical(mutated, (input) => encodeEntry(decodeEntry(input)))
        else assertCanonical(mutated, (input) => encodeState(decodeState(input)))
      }),
      { numRuns: 3000 }
    )
  })
})

/** Either refused, or read as something whose one encoding these bytes are. */
function assertCanonical(bytes: Uint8Array, again: (bytes: Uint8Array) => Uint8Array): void {
  let encoded: Uint8Array
  try {
    encoded = again(bytes)
  } catch {
    return
  }
  assert.deepEqual(Buffer.from(encoded), Buffer.from(bytes))
}
