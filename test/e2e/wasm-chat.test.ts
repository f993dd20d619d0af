/** The chat as a capsule in a sandbox, with its peer provider and shell in theirs, against the chat of the command. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { createCliHome, type CliHome } from '../support/cli.ts'
import type { RunningProcess } from '../support/process.ts'
import { needs } from '../support/requirements.ts'

describe('the chat as a WASM capsule', function () {
  this.timeout(120_000)
  before(async function () {
    await needs(this, 'bubblewrap', 'prlimit')
  })
  let home: CliHome
  const nodes: RunningProcess[] = []
  const data = (name: string): string => join(home.folder, name)

  const startNode = async (name: string, flags: readonly string[]): Promise<string> => {
    const node = await home.start(['node', 'start', '--json', '--no-mdns', '--data', data(name), ...flags])
    nodes.push(node)
    const [address] = (await node.event('listening'))['addresses'] as string[]
    assert.ok(address)
    return address
  }
  const asCapsule = async (name: string, args: readonly string[]): Promise<RunningProcess> =>
    await home.start(['capsule', 'run', 'shipped/chat', '--no-start', '--data', data(name), '--', ...args])

  before(async () => {
    home = await createCliHome()
    const address = await startNode('a', ['--shell', 'auto'])
    await startNode('b', ['--bootstrap', address])
  })

  after(async () => {
    for (const node of nodes) await node.end()
    await home[Symbol.asyncDispose]()
  })

  it('hears the native chat and is heard by it', async () => {
    await using native = await home.start([
      ...['chat', 'garden', '--nick', 'bob', '--no-start', '--data', data('b')]
    ])
    await native.stderr.line((line) => line.includes('you are in garden'))
    await using capsule = await asCapsule('a', ['garden', 'ann'])
    await native.stderr.line((line) => line.includes('ann is here'), { timeoutMs: 30_000 })
    capsule.write('hello from the capsule\n')
    await native.stdout.line((line) => line.includes('hello from the capsule'), { timeoutMs: 20_000 })
    native.write('hello from the command\n')
    await capsule.stdout.line((line) => line.includes('hello from the command'), { timeoutMs: 20_000 })
    capsule.endInput()
    assert.equal((await capsule.ended).code, 0)
    await native.stderr.line((line) => line.includes('ann left'), { timeoutMs: 20_000 })
  })

  it('joins no room that nobody allowed it', async () => {
    // The shell of this node asks a person, and nobody is at a terminal.
    await using capsule = await asCapsule('b', ['shed', 'eve'])
    await capsule.stderr.line((line) => line.includes('ERR_CAPABILITY'), { timeoutMs: 30_000 })
    capsule.endInput()
    await capsule.ended
    assert.doesNotMatch(capsule.stderr.text(), /you are in shed/)
  })
})
