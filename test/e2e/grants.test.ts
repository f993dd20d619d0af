/** What capsules were granted, as its owner sees it: listed, explained, revoked, recorded; and a record that was changed. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { createLevelAuthorityStore, openAuthority, type Authority, type AuthorityStore } from '#capsule-host'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import { openKeystore, systemPrivateFiles } from '#did'
import { createCliHome, type CliHome } from '../support/cli.ts'
import { assertRefused, startCliNode } from '../support/cli-node.ts'

const LINEAGE = 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK/notes'
const READING = { lineage: LINEAGE, command: 'localhost/read', resource: 'localhost://notes/a.txt' }
const seams = { clock: systemClock, random: systemRandom, logger: silentLogger }

/** The store of grants of a node that does not run. */
async function openStore(data: string): Promise<AuthorityStore> {
  return await createLevelAuthorityStore(join(data, 'authority'), silentLogger)
}

async function openGrants(data: string): Promise<Authority> {
  const keystore = await openKeystore(join(data, 'keys'), { files: systemPrivateFiles, ...seams })
  return await openAuthority({ store: await openStore(data), device: keystore.device, ...seams })
}

/** A node that was stopped, one of whose capsules was granted two things, used one of them twice, and was denied a third. */
async function prepare(home: CliHome, data: string): Promise<{ readonly token: string }> {
  const node = await startCliNode(home, data)
  await node.stop()
  await using authority = await openGrants(data)
  const pattern = { ...READING, resource: 'localhost://notes/*', decidedBy: 'person' } as const
  const { cid } = await authority.grant({ ...pattern, scope: 'always', usesMax: 5, reason: 'to show them' })
  await authority.grant({ ...pattern, command: 'localhost/list', scope: 'day' })
  await authority.remember({ ...pattern, command: 'localhost/delete', isAllowed: false })
  const ceiling = [{ command: 'localhost/*', resource: 'localhost://*' }]
  for (let use = 0; use < 2; use++) await authority.authorize({ ...READING, sessionId: 's', ceiling })
  return { token: cid }
}

describe('what capsules were granted', function () {
  this.timeout(120_000)
  let home: CliHome
  before(async () => {
    home = await createCliHome()
  })
  after(async () => {
    await home[Symbol.asyncDispose]()
  })

  it('is listed, explained, taken back and recorded', async () => {
    const data = join(home.folder, 'granted')
    const { token } = await prepare(home, data)
    await using node = await startCliNode(home, data)
    const list = (await node.succeed(['grant', 'list', 'notes'])).json
    const grants = list?.['grants'] as { cid: string; used: number; decidedBy: string }[]
    assert.deepEqual(
      grants.map(({ used, decidedBy }) => [used, decidedBy]),
      [
        [2, 'person'],
        [0, 'person']
      ]
    )
    assert.equal((list?.['denials'] as unknown[]).length, 1)
    const why = await node.run(['why', 'notes', READING.command, READING.resource])
    assert.deepEqual([why.code, why.json?.['isAllowed']], [0, true])
    const revoked = (await node.succeed(['grant', 'revoke', token.slice(-12)])).json?.['revoked']
    assert.equal((revoked as unknown[]).length, 1)
    const whyNot = await node.run(['why', 'notes', READING.command, READING.resource])
    assert.deepEqual([whyNot.code, whyNot.json?.['code']], [4, 'ERR_TOKEN_REVOKED'])
    const shown = await home.run(['why', 'notes', READING.command, READING.resource, '--data', data])
    assert.match(shown.stdout, /✗ +revocation/)
    assert.match(shown.stdout, /✓ +ceiling/)
    assert.match(shown.stdout, /said you .* it says: “to show them”/)
    await node.succeed(['grant', 'forget', 'notes'])
    await node.succeed(['grant', 'revoke-all'])
    assert.deepEqual((await node.succeed(['grant', 'list'])).json?.['grants'], [])
    const log = await home.run(['audit', '--data', data])
    for (const kind of ['grant', 'verdict', 'denial', 'revoke', 'forget', 'revoke-all']) {
      assert.match(log.stdout, new RegExp(`^\\S+ +\\d+ ${kind} `, 'm'))
    }
    assert.equal((await node.succeed(['audit', 'verify'])).json?.['isWhole'], true)
    assert.equal((await node.succeed(['audit', 'replay'])).json?.['verdicts'], 2)
    assertRefused(await node.run(['grant', 'list', 'nobody']), 'ERR_CAPSULE_NOT_INSTALLED')
  })

  it('is shown as it happens', async () => {
    const data = join(home.folder, 'followed')
    await prepare(home, data)
    await using node = await startCliNode(home, data)
    await using following = await home.start(['audit', '--follow', '--json', '--lines', '1', '--data', data])
    await following.stdout.match(/"kind":"open"/)
    await node.succeed(['grant', 'revoke', 'notes'])
    await following.stdout.match(/"kind":"revoke"/)
    const { code } = await following.end({ signal: 'SIGINT' })
    assert.equal(code, 0)
  })

  it('allows nothing when its record was changed, says so, and begins anew when everything is revoked', async () => {
    const data = join(home.folder, 'changed')
    await prepare(home, data)
    {
      await using store = await openStore(data)
      const key = 'entry/000000000003'
      const entry = Uint8Array.from((await store.get(key)) ?? [])
      entry[100] = (entry[100] ?? 0) ^ 1
      await store.write([{ type: 'put', key, value: entry }])
    }
    await using node = await startCliNode(home, data)
    const verified = await node.run(['audit', 'verify'])
    assert.deepEqual([verified.code, verified.json?.['isWhole']], [4, false])
    const why = await node.run(['why', LINEAGE, READING.command, READING.resource])
    assertRefused(why, 'ERR_CAPSULE_NOT_INSTALLED')
    assert.notEqual((await node.succeed(['grant', 'list'])).json?.['damage'], undefined)
    assert.equal((await node.succeed(['grant', 'revoke-all'])).json?.['wasDamaged'], true)
    assert.equal((await node.succeed(['audit', 'verify'])).json?.['isWhole'], true)
    assert.equal((await node.succeed(['grant', 'list'])).json?.['damage'], undefined)
  })

  it('is missed when its end is cut off', async () => {
    const data = join(home.folder, 'cut')
    await prepare(home, data)
    {
      await using store = await openStore(data)
      for await (const [key] of store.entries({ from: 'entry/000000000005', to: 'entry/ffffffffffff' })) {
        await store.write([{ type: 'remove', key }])
      }
    }
    await using node = await startCliNode(home, data)
    const verified = await node.run(['audit', 'verify'])
    const problem = verified.json?.['problem'] as { code: string } | undefined
    assert.deepEqual([verified.code, problem?.code], [4, 'ERR_AUDIT_CUT'])
  })
})
