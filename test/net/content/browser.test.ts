import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'
import { startProcess } from '../../support/process.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { patternBytes } from './exchange-nodes.ts'
import { startContentNode } from './content-nodes.ts'

const BLOCK_BYTES = 200_000

/** There is no browser where this runs: it is what a page would load, over the WebSocket that Node has as browsers do. */
describe('the build of libp2p for browsers, without a browser', () => {
  it('fetches from a node that listens for WebSockets', async () => {
    await using folder = await createTemporaryFolder()
    await using node = await startContentNode({ webSocketPort: 0 })
    const { cid } = await node.content.putBlock(patternBytes(BLOCK_BYTES, 1), { codec: 'raw', public: true })
    const address = node.host.addresses().find((listening) => listening.includes('/ws/'))
    const program = join(folder.path, 'page.mjs')
    await writeFile(program, await bundle({ ADDRESS: address ?? 'none', ROOT: cid.toString() }))
    await using page = await startProcess({ command: process.execPath, args: [program] })
    const { bytes } = await page.event('fetched', { timeoutMs: 40_000 })
    assert.equal(bytes, BLOCK_BYTES)
    await page.end({ signal: 'SIGKILL' })
  }).timeout(60_000)
})

/** @throws when something in it needs more than a browser has */
async function bundle(constants: Readonly<Record<string, string>>): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, 'browser-program.ts')],
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'esm',
    logLevel: 'silent',
    define: Object.fromEntries(Object.entries(constants).map(([name, text]) => [name, JSON.stringify(text)]))
  })
  return outputFiles[0]?.text ?? ''
}
