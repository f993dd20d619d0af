import assert from 'node:assert/strict'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createCliHome, type CliHome } from '../../support/cli.ts'
import { startCliNode } from '../../support/cli-node.ts'
import { needs } from '../../support/requirements.ts'

const SCRIPT = `import { capsule } from 'elastos/sdk'
console.log('time ' + Date.now() + ' chance ' + Math.random())
const input = []
for await (const line of capsule.lines()) input.push(line)
console.log('input ' + input.join('|'))
const answer = await capsule
  .request({ command: 'localhost/*', resource: 'localhost://k/*', reason: 'to see what is said' })
  .catch((error) => error.code)
console.log('channel ' + JSON.stringify(answer))
`

const MANIFEST = {
  ...{ manifest: 2, name: 'curious', version: '1.0.0', substrate: 'wasm', entry: 'build/curious.wasm' },
  capabilities: [{ command: 'localhost/*', resource: 'localhost://*', reason: 'to see what is said' }],
  requires: [{ contract: 'localhost@1' }],
  build: { language: 'typescript', source: 'main.ts' }
}

describe('a run that was recorded from the command line', () => {
  let home: CliHome

  before(async function () {
    await needs(this, 'bubblewrap', 'prlimit')
    this.timeout(180_000)
    home = await createCliHome()
  })

  after(async () => {
    await home?.[Symbol.asyncDispose]()
  })

  it('is replayed bit for bit by a node that knows nothing of it', async function () {
    this.timeout(180_000)
    const folder = join(home.folder, 'curious')
    await mkdir(folder)
    await writeFile(join(folder, 'main.ts'), SCRIPT)
    await writeFile(join(folder, 'capsule.json'), JSON.stringify(MANIFEST))
    const trace = join(home.folder, 'run.trace')
    let output: string
    {
      await using node = await startCliNode(home, join(home.folder, 'first'))
      const run = ['capsule', 'run', folder, '--dev', '--record', trace]
      const recorded = await node.succeed(run, { input: 'one\ntwo\n', timeoutMs: 90_000 })
      output = programOutput(recorded.stdout)
      assert.match(output, /^time \d+ chance 0\.\d+\ninput one\|two\nchannel .+$/)
      assert.equal((await stat(trace)).mode & 0o777, 0o600, 'only its owner can read it')
      const again = await node.run(run, { input: 'one\ntwo\n' })
      assert.notEqual(again.code, 0)
      assert.match(again.stderr + again.stdout, /ERR_TRACE_FILE/, 'what is there is not written over')
    }
    await using stranger = await startCliNode(home, join(home.folder, 'second'))
    for (let round = 0; round < 2; round++) {
      const replayed = await stranger.succeed(['capsule', 'replay', trace], { timeoutMs: 60_000 })
      assert.equal(programOutput(replayed.stdout), output)
    }
    await writeFile(join(home.folder, 'no.trace'), 'no trace')
    const refused = await stranger.run(['capsule', 'replay', join(home.folder, 'no.trace')])
    assert.match(refused.stderr + refused.stdout, /ERR_TRACE_INVALID/)
  })
})

/** What the capsule itself wrote: everything but the lines of the command. */
function programOutput(text: string): string {
  return text
    .split('\n')
    .filter((line) => /^(time|input|channel) /.test(line))
    .join('\n')
}
