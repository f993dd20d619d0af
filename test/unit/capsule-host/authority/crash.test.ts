import assert from 'node:assert/strict'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createMemoryAuthorityStore, type Authority, type AuthorityStore } from '#capsule-host'
import { MAIL, notesGrant, NOTES, openFixture, reading } from './fixture.ts'

/** What somebody was told before the crash, and relies on. */
type Witness =
  | { readonly what: 'used' | 'granted' | 'revoked'; readonly cid: string }
  | { readonly what: 'epoch'; readonly epoch: number }
  | { readonly what: 'denied'; readonly resource: string }

interface Crash {
  /** What is on the disk. */
  readonly records: Map<string, Uint8Array>
  /** How many had been told when the next write was done: until then a crash leaves these records. */
  told: number
}

/** A store that remembers what a crash before each of its writes would leave. */
function createCrashStore(witnesses: readonly Witness[]): { store: AuthorityStore; crashes: Crash[] } {
  const records = new Map<string, Uint8Array>()
  const memory = createMemoryAuthorityStore(records)
  const crashes: Crash[] = []
  const store: AuthorityStore = {
    ...memory,
    write: async (changes) => {
      const before = new Map(records)
      await nextTurn()
      await nextTurn()
      crashes.push({ records: before, told: witnesses.length })
      await memory.write(changes)
    }
  }
  return { store, crashes }
}

const USES = 7

async function work(authority: Authority, witnesses: Witness[]): Promise<void> {
  const consume = async (lineage: string): Promise<void> => {
    const verdict = await authority.authorize(reading({ lineage }))
    const [cid] = verdict.tokens
    if (verdict.isAllowed && cid !== undefined) witnesses.push({ what: 'used', cid })
  }
  const grant = async (lineage: string): Promise<string> => {
    const { cid } = await authority.grant(notesGrant({ lineage, usesMax: USES }))
    witnesses.push({ what: 'granted', cid })
    return cid
  }
  const revoke = async (cid: string): Promise<void> => {
    await authority.revoke(cid)
    witnesses.push({ what: 'revoked', cid })
  }
  for (let round = 0; round < 6; round++) {
    const cid = await grant(NOTES)
    await Promise.all([consume(NOTES), consume(NOTES), grant(MAIL), consume(NOTES)])
    const resource = `localhost://round-${round}`
    const denial = { lineage: NOTES, command: 'localhost/write', resource, decidedBy: 'person' } as const
    await Promise.all([
      consume(MAIL),
      authority
        .remember({ ...denial, isAllowed: false })
        .then(() => witnesses.push({ what: 'denied', resource })),
      round % 2 === 0 ? revoke(cid) : consume(NOTES),
      consume(NOTES)
    ])
    await Promise.all(Array.from({ length: USES + 3 }, () => consume(NOTES)))
  }
  await authority.revokeAll()
  witnesses.push({ what: 'epoch', epoch: authority.epoch })
  await grant(NOTES)
  await consume(NOTES)
}

/** What was told still holds after the restart: that is what durable means. */
async function check(records: Map<string, Uint8Array>, told: readonly Witness[]): Promise<void> {
  await using fixture = await openFixture({ records })
  const { authority } = fixture
  assert.equal(authority.damage, undefined)
  assert.equal((await authority.audit.verify()).isWhole, true)
  assert.equal((await authority.audit.replay()).agrees, true)
  const grants = new Map(authority.list({ hasEnded: true }).map((grant) => [grant.cid, grant]))
  const epoch = told.findLast((witness) => witness.what === 'epoch')?.epoch ?? 0
  assert.ok(authority.epoch >= epoch, `epoch ${epoch} was lost`)
  const used = new Map<string, number>()
  for (const witness of told) {
    if (witness.what === 'used') used.set(witness.cid, (used.get(witness.cid) ?? 0) + 1)
    if (witness.what === 'granted') assert.ok(grants.has(witness.cid), 'a grant was lost')
    if (witness.what === 'revoked') assert.ok(grants.get(witness.cid)?.ended, 'a revocation was lost')
    if (witness.what === 'denied') {
      const question = { lineage: NOTES, command: 'localhost/write', resource: witness.resource }
      assert.equal(authority.recall(question), 'denied')
    }
  }
  for (const [cid, uses] of used) {
    assert.ok(uses <= USES, `${uses} of ${USES} uses`)
    assert.ok((grants.get(cid)?.used ?? 0) >= uses, 'a use that was taken could be taken again')
  }
}

describe('authority: a crash before any write', () => {
  for (const snapshotEntries of [2048, 5]) {
    it(`loses nothing that anybody was told, with a snapshot every ${snapshotEntries} entries`, async () => {
      const witnesses: Witness[] = []
      const { store, crashes } = createCrashStore(witnesses)
      {
        await using fixture = await openFixture({ store, snapshotEntries, auditBytesMax: 5000 })
        await work(fixture.authority, witnesses)
      }
      assert.ok(
        crashes.length > 20 && witnesses.length > 40,
        `${crashes.length} writes, ${witnesses.length} told`
      )
      for (const { records, told } of crashes) await check(records, witnesses.slice(0, told))
    })
  }

  it('makes verdicts wait for the grant and the revocation they rest on', async () => {
    const order: string[] = []
    const memory = createMemoryAuthorityStore()
    let isHeld = false
    const held = Promise.withResolvers<undefined>()
    const store: AuthorityStore = {
      ...memory,
      write: async (changes) => {
        if (isHeld) await held.promise
        await memory.write(changes)
      }
    }
    await using fixture = await openFixture({ store })
    const { authority } = fixture
    isHeld = true
    void authority.grant(notesGrant()).then(() => order.push('granted'))
    const verdict = authority.authorize(reading()).then(({ isAllowed }) => order.push(`allowed ${isAllowed}`))
    assert.equal(authority.peek(reading()).isAllowed, false)
    await nextTurn()
    await nextTurn()
    assert.deepEqual(order, [])
    held.resolve(undefined)
    await verdict
    assert.deepEqual(order.sort(), ['allowed true', 'granted'])
    assert.equal(authority.peek(reading()).isAllowed, true)
  })

  it('refuses a use that was revoked while it was on its way to the disk', async () => {
    await using fixture = await openFixture()
    const { authority } = fixture
    const { cid } = await authority.grant(notesGrant({ usesMax: 5 }))
    const verdict = authority.authorize(reading())
    const revoked = authority.revoke(cid)
    assert.equal((await verdict).code, 'ERR_TOKEN_REVOKED')
    await revoked
    assert.equal(authority.list({ hasEnded: true })[0]?.used, 1)
  })
})

describe('authority: a store that fails', () => {
  it('allows nothing from then on, and is right again when it is opened anew', async () => {
    const records = new Map<string, Uint8Array>()
    const memory = createMemoryAuthorityStore(records)
    let isFull = false
    const store: AuthorityStore = {
      ...memory,
      write: async (changes) => {
        if (isFull) throw new Error('no space left on device')
        await memory.write(changes)
      }
    }
    {
      await using fixture = await openFixture({ store })
      const { authority } = fixture
      await authority.grant(notesGrant({ usesMax: 2 }))
      isFull = true
      const verdicts = await Promise.all([authority.authorize(reading()), authority.authorize(reading())])
      assert.deepEqual(
        verdicts.map(({ code }) => code),
        ['ERR_AUTHORITY_STORE', 'ERR_AUTHORITY_STORE']
      )
      await assert.rejects(authority.grant(notesGrant()), { code: 'ERR_AUTHORITY_STORE' })
      await assert.rejects(authority.revokeAll(), { code: 'ERR_AUTHORITY_STORE' })
      isFull = false
      assert.equal((await authority.authorize(reading())).code, 'ERR_AUTHORITY_STORE')
      assert.equal(authority.peek(reading()).isAllowed, false)
    }
    await using again = await openFixture({ records })
    assert.equal((await again.authority.authorize(reading())).isAllowed, true)
    assert.equal((await again.authority.audit.replay()).agrees, true)
  })

  it('does not open over a store that cannot be written', async () => {
    const store: AuthorityStore = {
      ...createMemoryAuthorityStore(),
      write: async () => await Promise.reject(new Error('read-only'))
    }
    await assert.rejects(openFixture({ store }), { code: 'ERR_AUTHORITY_STORE' })
  })

  it('is closed once, and refuses afterwards', async () => {
    const fixture = await openFixture()
    const { authority } = fixture
    await authority.grant(notesGrant())
    await authority[Symbol.asyncDispose]()
    await authority[Symbol.asyncDispose]()
    assert.equal((await authority.authorize(reading())).code, 'ERR_AUTHORITY_STORE')
    assert.equal(fixture.clock.pendingCount(), 0)
  })
})
