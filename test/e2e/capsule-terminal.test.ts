import assert from 'node:assert/strict'
import { join } from 'node:path'
import { writeCapsuleFolder } from '../support/capsule-folder.ts'
import { createCliHome, type CliHome } from '../support/cli.ts'
import { assertRefused, assertSucceeded, startCliNode, type CliNode } from '../support/cli-node.ts'
import type { Terminal } from '../support/pty.ts'
import { needs } from '../support/requirements.ts'

/** Takes the keys, tells of each, asks on `q`, and ends for nothing it is told. */
const SCREEN = `
  import { codeOf } from 'elastos/sdk'
  try {
    const { columns, rows } = await capsule.terminal.setRaw(true)
    capsule.write('raw ' + columns + 'x' + rows + '\\r\\n')
  } catch (thrown) {
    capsule.write('lines ' + codeOf(thrown) + '\\r\\n')
  }
  capsule.terminal.onResize(({ columns, rows }) => capsule.write('drawn again ' + columns + 'x' + rows + '\\r\\n'))
  for await (const bytes of capsule.input()) {
    capsule.write('keys ' + [...bytes].join(' ') + '\\r\\n')
    if (bytes[0] !== 113) continue
    capsule.write('\\u001b[?1049h\\u001b[8m\\u001b]0;')
    const held = await capsule.request({ command: 'localhost/read', resource: 'localhost://*' }).catch(() => undefined)
    capsule.write(held === undefined ? 'refused\\r\\n' : 'granted\\r\\n')
  }
`

/** The one without a terminal reads no more input than there is, and may have ended. */
const NO_TERMINAL = ['ERR_CAPSULE_NO_TERMINAL', 'ERR_CAPSULE_NOT_RUNNING'] as const

/** Control characters as words. */
function readable(text: string): string {
  return text.replaceAll('\u001b', '<ESC>').replaceAll('\u0018', '<CAN>')
}

describe('a capsule on the terminal of its user', function () {
  this.timeout(120_000)
  let home: CliHome
  let node: CliNode
  let folder: string

  before(async function () {
    await needs(this, 'bubblewrap')
    await needs(this, 'terminal')
    home = await createCliHome()
    node = await startCliNode(home, join(home.folder, 'node'))
    const capabilities = [{ command: 'localhost/*', resource: 'localhost://*', reason: 'To test.' }]
    folder = await writeCapsuleFolder(home.folder, {
      name: 'screen',
      script: SCREEN,
      manifest: { capabilities }
    })
  })

  after(async () => {
    await node[Symbol.asyncDispose]()
    await home[Symbol.asyncDispose]()
  })

  const run = async (...flags: readonly string[]): Promise<Terminal> =>
    await home.terminal(['capsule', 'run', folder, '--dev', ...flags, '--data', node.status.dataFolder])

  it('takes keys one by one where its user lets it, and gives the terminal back for a question', async () => {
    await using terminal = await run('--raw')
    await terminal.stdout.match(/raw 100x30/, { timeoutMs: 60_000 })
    terminal.write('x')
    await terminal.stdout.match(/keys 120/)
    terminal.write('q')
    // What the capsule left half said is ended, its screen left and its text made visible before anything is asked.
    const { input } = await terminal.stdout.match(/Answer: /, { timeoutMs: 60_000 })
    assert.match(readable(input), /<CAN><ESC>\\[^]*<ESC>\[\?1049l[^]*<ESC>\[0m[^]* screen asks you /)
    terminal.type('s')
    await terminal.stdout.match(/drawn again 100x30[^]*granted|granted[^]*drawn again 100x30/)
    terminal.write('y')
    await terminal.stdout.match(/keys 121/)
    assert.doesNotMatch(terminal.stdout.text(), /keys 115/)
  })

  it('cannot keep its user from ending it', async () => {
    await using terminal = await run('--raw')
    await terminal.stdout.match(/raw 100x30/, { timeoutMs: 60_000 })
    terminal.control('c')
    await terminal.stdout.match(/keys 3/)
    terminal.control('c')
    terminal.control('c')
    assert.notEqual((await terminal.ended).code, 0)
    assert.match(readable(terminal.stdout.text()), /<ESC>\[\?1049l/)
  })

  const attach = async (...args: readonly string[]): Promise<Terminal> =>
    await home.terminal(['capsule', 'attach', ...args, '--data', node.status.dataFolder])

  it('is left running with a terminal of its own, to which several come and of whom one types', async () => {
    const left = await node.succeed(['capsule', 'run', folder, '--dev', '--detach', '--raw'])
    const id = String(left.json?.['run'])
    const first = await attach(id)
    // Whether it asked for its terminal before somebody was there, or after.
    await first.stdout.match(/raw 80x24[^]*drawn again 100x30|raw 100x30/, { timeoutMs: 60_000 })
    first.write('x')
    await first.stdout.match(/keys 120/)
    await using second = await attach('screen')
    await first.stdout.match(/somebody else came/, { timeoutMs: 60_000 })
    second.write('y')
    await Promise.all([first.stdout.match(/keys 121/), second.stdout.match(/keys 120[^]*keys 121/)])
    // Ctrl-] gives the terminal back and leaves the capsule to itself, and to who was there before.
    second.write('w\u001d')
    assert.equal((await second.ended).code, 0)
    assert.match(readable(second.stdout.text()), /<ESC>\[\?1049l[^]*screen runs on as #/)
    await first.stdout.match(/keys 119[^]*you type again|you type again[^]*keys 119/)
    first.write('z')
    await first.stdout.match(/keys 122/)
    await first[Symbol.asyncDispose]()
    // Over a pipe: what it says is typed, and its end is not the capsule's.
    assertSucceeded(await node.run(['capsule', 'attach', id], { input: 'a' }), ['attach'])
    const watching = await home.start(['capsule', 'attach', id, '--watch', '--data', node.status.dataFolder])
    await watching.stdout.match(/keys 122[^]*keys 97/, { timeoutMs: 60_000 })
    await node.succeed(['capsule', 'stop', 'screen'])
    assert.notEqual((await watching.ended).code, 0)
    assertRefused(await node.run(['capsule', 'attach', id]), 'ERR_CAPSULE_NOT_RUNNING')
  })

  it('is left running by who started it, and has none where it was started without', async () => {
    await using terminal = await run('--raw')
    await terminal.stdout.match(/raw 100x30/, { timeoutMs: 60_000 })
    terminal.control(']')
    const { input } = await terminal.stdout.match(/screen 1\.0\.0 runs as #\d+/)
    const id = /runs as (#\d+)/.exec(input)?.[1] ?? ''
    assert.equal((await terminal.ended).code, 0)
    const { json } = await node.succeed(['capsule', 'top'])
    const running = json?.['running'] as { run: number; isDetached: boolean }[]
    assert.equal(running.find((one) => `#${one.run}` === id)?.isDetached, true)
    await using again = await attach(id)
    await again.stdout.match(/raw 100x30[^]*drawn again 100x30/, { timeoutMs: 60_000 })
    await node.succeed(['capsule', 'stop', 'screen'])
    assert.notEqual((await again.ended).code, 0)
    const bare = await node.succeed(['capsule', 'run', folder, '--dev', '--detach'])
    assertRefused(await node.run(['capsule', 'attach', String(bare.json?.['run'])]), ...NO_TERMINAL)
  })

  it('has none without that: it gets lines, and draws nothing', async () => {
    await using terminal = await run()
    await terminal.stdout.match(/lines ERR_TERMINAL_NONE/, { timeoutMs: 60_000 })
    terminal.type('hello')
    await terminal.stdout.match(/keys 104 101 108 108 111 10/)
    terminal.type('q')
    await terminal.stdout.match(/Answer: /, { timeoutMs: 60_000 })
    assert.doesNotMatch(readable(terminal.stdout.text()), /<ESC>\[\?1049h/)
  })
})
