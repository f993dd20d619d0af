import assert from 'node:assert/strict'
import type { ControlEvent, ControlMethod, ControlParams, ControlResult } from '#contracts'
import { CapsuleError, type Authority, type InstalledCapsule } from '#capsule-host'
import { createGrantHandlers, type GrantHandlerParts } from '../../../../node/control/grant-handlers.ts'
import type { CallContext } from '../../../../node/control/server.ts'
import { MAIL, notesGrant, NOTES, openFixture, reading } from '../../capsule-host/authority/fixture.ts'

const CEILING = [{ command: 'localhost/*', resource: 'localhost://*', reason: 'to keep notes' }]

/** A node in which the notes capsule is installed as `jotter`, and the mail capsule is not installed. */
function partsOf(authority: Authority): GrantHandlerParts {
  const notes = { alias: 'jotter', lineage: NOTES, current: 'bafynotes' } as InstalledCapsule
  const lookup = (name: string): InstalledCapsule | undefined =>
    name === 'jotter' || name === NOTES ? notes : undefined
  return {
    runtime: { authority: async () => await Promise.resolve(authority) },
    capsules: {
      verify: async () =>
        await Promise.resolve({ opened: { manifest: { capabilities: CEILING } } } as unknown as Awaited<
          ReturnType<GrantHandlerParts['capsules']['verify']>
        >)
    },
    installed: {
      lifecycle: {
        lookup,
        list: () => [notes],
        find: (name) => {
          const found = lookup(name)
          if (found === undefined) throw new CapsuleError('ERR_CAPSULE_NOT_INSTALLED', `no ${name}`)
          return found
        }
      }
    },
    toLineage: (target) => (target === 'ada/notes' ? NOTES : target)
  }
}

interface Caller {
  call<M extends ControlMethod & keyof ReturnType<typeof createGrantHandlers>>(
    method: M,
    params: ControlParams<M>,
    context?: Partial<CallContext>
  ): Promise<ControlResult<M>>
}

function callerOf(authority: Authority): Caller {
  const handlers = createGrantHandlers(partsOf(authority))
  return {
    call: async (method, params, context = {}) => {
      const quiet: CallContext = {
        signal: new AbortController().signal,
        emit: async () => await Promise.resolve(),
        nextInput: async () => await Promise.resolve(undefined)
      }
      // The table's type does not tell the compiler that a method and its own parameters go together.
      const handler = handlers[method] as unknown as (params: unknown, context: CallContext) => Promise<never>
      return await handler(params, { ...quiet, ...context })
    }
  }
}

describe('control: grants', () => {
  it('are listed by alias, lineage, petname or the name of a capsule that ran', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    const { call } = callerOf(authority)
    await authority.grant(notesGrant({ reason: 'to show them' }))
    await authority.grant(notesGrant({ lineage: MAIL }))
    await authority.remember({ ...notesGrant({ command: 'localhost/write' }), isAllowed: false })
    const everything = await call('grant.list', {})
    assert.equal(everything.grants.length, 2)
    assert.equal(everything.denials[0]?.alias, 'jotter')
    for (const capsule of ['jotter', NOTES, 'ada/notes', 'notes']) {
      const { grants } = await call('grant.list', { capsule })
      assert.deepEqual(
        grants.map(({ lineage, alias, reason }) => [lineage, alias, reason]),
        [[NOTES, 'jotter', 'to show them']]
      )
    }
    assert.equal((await call('grant.list', { capsule: 'mail' })).grants[0]?.lineage, MAIL)
    await assert.rejects(call('grant.list', { capsule: 'nobody' }), { code: 'ERR_CAPSULE_NOT_INSTALLED' })
  })

  it('asks for more of a name that several capsules have', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    await authority.grant(notesGrant({ lineage: 'did:key:zOther/mail' }))
    await authority.grant(notesGrant({ lineage: MAIL }))
    await assert.rejects(callerOf(authority).call('grant.list', { capsule: 'mail' }), {
      code: 'ERR_TARGET_INVALID'
    })
  })

  it('are revoked by the end of a token, by capsule, and altogether', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    const { call } = callerOf(authority)
    const grant = await authority.grant(notesGrant())
    await authority.grant(notesGrant({ command: 'localhost/list' }))
    await authority.grant(notesGrant({ lineage: MAIL }))
    const one = await call('grant.revoke', { what: grant.cid.slice(-8) })
    assert.deepEqual(
      one.revoked.map(({ cid }) => cid),
      [grant.cid]
    )
    assert.equal((await authority.authorize(reading())).isAllowed, false)
    assert.equal((await call('grant.revoke', { what: 'jotter' })).revoked.length, 1)
    const { epoch } = authority
    const all = await call('grant.revoke-all', {})
    assert.deepEqual(all, { epoch: epoch + 1, revoked: 1, wasDamaged: false })
    assert.equal((await call('grant.list', {})).grants.length, 0)
    assert.equal((await call('grant.list', { all: true })).grants.length, 3)
    await assert.rejects(call('grant.revoke', { what: 'bafynothing' }), { code: 'ERR_CAPSULE_NOT_INSTALLED' })
  })

  it('lets a capsule ask again for what was denied for good', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    await authority.remember({ ...notesGrant(), isAllowed: false })
    const { call } = callerOf(authority)
    assert.deepEqual(await call('grant.forget', { capsule: 'jotter' }), { lineage: NOTES, forgotten: 1 })
    assert.deepEqual(await call('grant.forget', { capsule: 'jotter' }), { lineage: NOTES, forgotten: 0 })
  })
})

describe('control: why', () => {
  it('says every check, the token and who decided', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    const { call } = callerOf(authority)
    const grant = await authority.grant(notesGrant({ usesMax: 2 }))
    const question = { capsule: 'jotter', command: 'localhost/read', resource: 'localhost://notes/a.txt' }
    const why = await call('grant.why', question)
    assert.equal(why.isAllowed, true)
    assert.equal(why.chain.at(-1)?.cid, grant.cid)
    assert.equal(why.chain.at(-1)?.decidedBy, 'person')
    assert.ok(why.checks.every(({ isOk }) => isOk))
    assert.ok(why.checks.length >= 15)
    assert.equal(authority.list()[0]?.used, 0, 'asking why takes no use')
    await authority.revoke(grant.cid)
    const after = await call('grant.why', question)
    assert.equal(after.code, 'ERR_TOKEN_REVOKED')
    assert.deepEqual(
      after.checks.filter(({ isOk }) => !isOk).map(({ name }) => name),
      ['revocation']
    )
  })

  it('says what is missing when nothing was granted, and when the ceiling is not known', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    const { call } = callerOf(authority)
    const what = { command: 'localhost/write', resource: 'localhost://notes/a.txt' }
    const missing = await call('grant.why', { capsule: 'jotter', ...what })
    assert.equal(missing.code, 'ERR_CAPABILITY_MISSING')
    assert.deepEqual(
      missing.checks.map(({ name, isOk }) => [name, isOk]),
      [['held', false]]
    )
    assert.equal(missing.isCeilingKnown, true)
    await authority.grant(notesGrant({ lineage: MAIL, command: 'localhost/write' }))
    const unknown = await call('grant.why', { capsule: 'mail', ...what })
    assert.equal(unknown.isCeilingKnown, false)
    assert.equal(unknown.code, 'ERR_TOKEN_CEILING')
    await authority.remember({ ...notesGrant({ command: 'localhost/write' }), isAllowed: false })
    const denied = await call('grant.why', { capsule: 'jotter', ...what })
    assert.equal(denied.code, 'ERR_CAPABILITY_DENIED')
    assert.equal(denied.denial?.decidedBy, 'person')
  })
})

describe('control: audit', () => {
  it('gives entries without the bytes of tokens, and goes on with what comes', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    const { call } = callerOf(authority)
    await authority.grant(notesGrant())
    const { entries } = await call('audit.entries', {})
    const grant = entries.find(({ kind }) => kind === 'grant')
    assert.ok(grant !== undefined && !('token' in grant))
    const stop = new AbortController()
    const numbers: number[] = []
    const following = call(
      'audit.entries',
      { from: 0, limit: 1, follow: true },
      {
        signal: stop.signal,
        emit: async (event: ControlEvent) => {
          if (event.kind === 'audit') numbers.push(...event.entries.map(({ number }) => number))
          if (numbers.length === 3) stop.abort()
          await Promise.resolve()
        }
      }
    )
    await authority.authorize(reading())
    await authority.audit.verify()
    await following
    assert.deepEqual(numbers, [0, 2, 3])
  })

  it('verifies and replays', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    const { call } = callerOf(authority)
    await authority.grant(notesGrant())
    await authority.authorize(reading())
    assert.equal((await call('audit.verify', {})).isWhole, true)
    const replay = await call('audit.replay', {})
    assert.deepEqual([replay.agrees, replay.verdicts], [true, 1])
  })
})
