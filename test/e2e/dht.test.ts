/** Looking into the DHT and at names, as people do it. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createCliHome, type CliHome } from '../support/cli.ts'
import { assertRefused, startCliNode, startCliSeed, type CliNode } from '../support/cli-node.ts'
import { EMPTY_MODULE } from '../support/empty-module.ts'

async function capsuleFolder(home: CliHome, version: string): Promise<string> {
  const folder = join(home.folder, `capsule-${version}`)
  await mkdir(folder)
  const manifest = { manifest: 2, name: 'echo', version, substrate: 'wasm', entry: 'main.wasm' }
  await writeFile(join(folder, 'capsule.json'), JSON.stringify(manifest))
  await writeFile(join(folder, 'main.wasm'), EMPTY_MODULE)
  return folder
}

describe('the DHT on the command line', function () {
  this.timeout(60_000)
  let home: CliHome
  beforeEach(async () => {
    home = await createCliHome()
  })
  afterEach(async () => {
    await home[Symbol.asyncDispose]()
  })

  it('publishing alone says what was kept and what to do', async () => {
    await using alone = await startCliNode(home, join(home.folder, 'alone'))
    const refused = await alone.run(['capsule', 'publish', await capsuleFolder(home, '1.0.0')])
    assertRefused(refused, 'ERR_DHT_NO_PEERS')
    assert.match(
      refused.stderr + refused.stdout,
      /echo 1\.0\.0 is kept on this device as b[a-z2-7]+.*publish it again/
    )
  })

  it('announces, finds, resolves and follows, and says how far to trust that', async () => {
    await using seed = await startCliSeed(home, join(home.folder, 'seed'))
    const flags = ['--bootstrap', String(seed.status['bootstrapUrl'])]
    await using alice = await startCliNode(home, join(home.folder, 'alice'), { flags })
    await using bob = await startCliNode(home, join(home.folder, 'bob'), { flags })
    await findsAndCounts({ home, alice, bob })
    const folder = await capsuleFolder(home, '1.0.0')
    await alice.succeed(['capsule', 'publish', folder])
    const name = alice.status.personDid
    const { json: resolved } = await bob.succeed(['name', 'resolve', name])
    assert.equal(resolved?.['sequence'], '1')
    assert.ok(Number(resolved['peersAgreed']) >= 1 && Number(resolved['signedAtMs']) <= Date.now())
    assert.equal(resolved['isFromMemory'], false)
    const level = (resolved['confidence'] as { level: string }).level
    assert.equal(level, 'weak', 'three nodes are few')
    await alice.succeed(['capsule', 'publish', await capsuleFolder(home, '1.0.1')])
    const { stdout } = await bob.succeed(['name', 'follow', name, '--every', '1', '--count', '1'])
    const event = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>
    assert.deepEqual([event['event'], event['sequence']], ['name', '2'])
  })
})

async function findsAndCounts(parts: { home: CliHome; alice: CliNode; bob: CliNode }): Promise<void> {
  const { home, alice, bob } = parts
  const file = join(home.folder, 'song.txt')
  await writeFile(file, 'la la la')
  const cid = String((await alice.succeed(['add', file])).json?.['cid'])
  await alice.succeed(['dht', 'provide', cid])
  const { json: found } = await bob.succeed(['dht', 'find-providers', cid])
  const [provider] = found?.['providers'] as Record<string, unknown>[]
  assert.equal(provider?.['peerId'], alice.status.peerId)
  const { json: peer } = await bob.succeed(['dht', 'find-peer', alice.status.did])
  assert.ok((peer?.['addresses'] as string[]).length > 0)
  const { json: status } = await alice.succeed(['dht', 'provide', '--status'])
  const [network] = status?.['networks'] as Record<string, unknown>[]
  assert.deepEqual([network?.['network'], network?.['contents'], network?.['unannounced']], ['elastos', 1, 0])
  await alice.succeed(['deny', 'add', cid])
  const { json: denied } = await alice.succeed(['dht', 'provide', '--status'])
  assert.equal((denied?.['networks'] as Record<string, unknown>[])[0]?.['contents'], 0)
  assertRefused(await alice.run(['dht', 'provide']), 'ERR_USAGE')
  assertRefused(await alice.run(['dht', 'find-peer', 'nobody']), 'ERR_PEER_ID_INVALID')
  const stranger = 'did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH'
  assertRefused(await bob.run(['dht', 'find-peer', stranger]), 'ERR_PEER_NOT_FOUND')
}
