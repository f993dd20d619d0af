/**
 * A publisher that breaks the rules, as a process of its own: publishes capsules that must be refused, says how to name
 * them, and on a line of input takes a name back to an older version.
 *
 * Arguments: data folder, bootstrap address.
 */
import type { CID } from 'multiformats/cid'
import { once } from 'node:events'
import { encodeCanonical, createKeyPair } from '#did'
import { signCapsule } from '#capsule-host'
import { systemRandom } from '#contracts'
import { startNode } from '#node'
import { sealIndex } from '../../dht/index-block.ts'
import { EMPTY_MODULE } from '../support/empty-module.ts'

const [dataFolder = '', bootstrap = ''] = process.argv.slice(2)
const signal = AbortSignal.timeout(120_000)
await using node = await startNode({ dataFolder, bootstrap: [bootstrap], mdns: false })
await node.host.ready(signal)
const publisher = createKeyPair(systemRandom)
const stranger = createKeyPair(systemRandom)

async function addPackage(name: string, version: string, module: Uint8Array): Promise<CID> {
  const manifest = JSON.stringify({ manifest: 2, name, version, substrate: 'wasm', entry: 'main.wasm' })
  const { cid } = await node.content.addFiles([
    { path: 'capsule.json', content: new TextEncoder().encode(manifest) },
    { path: 'main.wasm', content: module }
  ])
  return cid
}

async function putBlock(bytes: Uint8Array): Promise<CID> {
  const { cid } = await node.content.putBlock(bytes, { codec: 'dag-cbor', public: true })
  return cid
}

async function publish(name: string, head: CID): Promise<void> {
  await node.index.publish(publisher, { kind: 'capsule', name, head, firstPublish: true, signal })
}

const good = await addPackage('good', '1.0.0', EMPTY_MODULE)
const signed = signCapsule(publisher, { root: good, name: 'good', version: '1.0.0' })

// One byte of the program differs from what was signed; the link says so honestly, the signature does not.
const flipped = await addPackage('good', '1.0.0', EMPTY_MODULE.with(-2, 0x01))
const { envelope } = (await import('@ipld/dag-cbor')).decode<{ envelope: Uint8Array }>(signed)
const flippedCid = await putBlock(encodeCanonical({ version: 1, root: flipped, envelope }))

const bySomebodyElse = await addPackage('lent', '1.0.0', EMPTY_MODULE)
await publish(
  'lent',
  await putBlock(signCapsule(stranger, { root: bySomebodyElse, name: 'lent', version: '1.0.0' }))
)

const first = await putBlock(signed)
await publish('good', first)
const second = await addPackage('good', '2.0.0', EMPTY_MODULE)
await publish(
  'good',
  await putBlock(signCapsule(publisher, { root: second, name: 'good', version: '2.0.0' }))
)

process.stdout.write(
  JSON.stringify({
    event: 'published',
    flipped: flippedCid.toString(),
    signer: `${publisher.did}/lent`,
    unsigned: good.toString(),
    name: `${publisher.did}/good`
  }) + '\n'
)

process.stdin.resume()
await once(process.stdin, 'data')
const updatedAtMs = Date.now()
const older = sealIndex(publisher, {
  content: { capsule: { good: { cid: first, sequence: 1, updatedAtMs } } },
  updatedAtMs
})
await putBlock(older.bytes)
await node.host.names.publish(publisher, { value: older.cid, signal })
process.stdout.write(JSON.stringify({ event: 'went-back' }) + '\n')
await once(process.stdin, 'end')
