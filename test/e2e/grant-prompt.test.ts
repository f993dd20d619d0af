import assert from 'node:assert/strict'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { writeCapsuleFolder } from '../support/capsule-folder.ts'
import { createCliHome, type CliHome } from '../support/cli.ts'
import { assertRefused, startCliNode, type CliNode } from '../support/cli-node.ts'
import type { Terminal } from '../support/pty.ts'
import { needs } from '../support/requirements.ts'

/** Asks for what its first argument says, then repeats what it is told. */
const ASKER = `
  import { codeOf } from 'elastos/sdk'
  const [resource, ...reasons] = capsule.args
  const reason = reasons.join(' ')
  const ask = async () => {
    try {
      const held = await capsule.request({ command: 'localhost/write', resource, ...(reason === '' ? {} : { reason }) })
      capsule.write('granted ' + held.resource + '\\n')
    } catch (thrown) {
      capsule.write('refused ' + codeOf(thrown) + '\\n')
    }
  }
  await ask()
  for await (const line of capsule.lines()) {
    capsule.write('you said ' + line + '\\n')
    if (line === 'again') await ask()
    if (line === 'exit') capsule.exit(0)
  }
`
const CEILING = [{ command: 'localhost/*', resource: 'localhost://*', reason: 'To keep your notes.' }]
const NOTES = 'localhost://notes/*'

/** What `find` finds in the end; it is asked so often that a machine under load has time. */
async function eventually<T>(find: () => Promise<T | undefined>): Promise<T | undefined> {
  for (let tries = 0; tries < 100; tries++) {
    const found = await find()
    if (found !== undefined) return found
    await sleep(100)
  }
  return undefined
}

describe('a capsule that asks', function () {
  this.timeout(180_000)
  let home: CliHome
  let node: CliNode
  let folder: string

  before(async function () {
    await needs(this, 'bubblewrap')
    await needs(this, 'terminal')
    home = await createCliHome()
    node = await startCliNode(home, join(home.folder, 'node'))
    folder = await writeCapsuleFolder(home.folder, {
      name: 'asker',
      script: ASKER,
      manifest: { capabilities: CEILING }
    })
  })

  after(async () => {
    await node[Symbol.asyncDispose]()
    await home[Symbol.asyncDispose]()
  })

  const run = async (args: readonly string[], flags: readonly string[] = []): Promise<Terminal> =>
    await home.terminal([
      'capsule',
      'run',
      folder,
      '--dev',
      ...flags,
      '--data',
      node.status.dataFolder,
      '--no-start',
      '--',
      ...args
    ])
  /** After which character the next question of a terminal is looked for. */
  const answered = new WeakMap<Terminal, number>()
  const answer = async (terminal: Terminal, line: string): Promise<void> => {
    // Each question once, whether it is on the screen already or not.
    const from = answered.get(terminal) ?? 0
    const { index } = await terminal.stdout.match(/Answer: /, { from, timeoutMs: 60_000 })
    answered.set(terminal, from + index + 1)
    terminal.type(line)
  }
  const pending = async (): Promise<readonly Record<string, unknown>[]> => {
    const { json } = await node.succeed(['grant', 'pending'])
    return json?.['questions'] as Record<string, unknown>[]
  }

  it('is answered on its own terminal, and hears nothing of what was typed there', async () => {
    await using terminal = await run([NOTES, 'to', 'write', 'notes'])
    await terminal.stdout.match(/asks you/, { timeoutMs: 60_000 })
    const shown = await terminal.stdout.match(/Answer: /)
    const text = shown.input
    assert.match(text, /who +asker 1\.0\.0/)
    assert.match(text, /NOBODY signed it/)
    assert.match(text, /wants +to write a file \(localhost\/write\)/)
    assert.match(text, /it says +\| “to write notes”/)
    assert.match(text, /its author +\| “To keep your notes\.”/)
    await answer(terminal, 'maybe')
    await answer(terminal, 's')
    await terminal.stdout.match(/granted localhost:\/\/notes\/\*/)
    terminal.type('hello')
    await terminal.stdout.match(/you said hello/)
    assert.doesNotMatch(terminal.stdout.text(), /you said (?:maybe|s)\b/)
    terminal.type('again')
    await terminal.stdout.match(/granted[^]*you said again[^]*granted/)
    terminal.type('exit')
    assert.equal((await terminal.ended).code, 0)
  })

  it('is refused for the run by Enter, and for good by never', async () => {
    {
      await using terminal = await run([NOTES])
      await answer(terminal, '')
      await terminal.stdout.match(/refused ERR_CAPABILITY_DENIED/)
    }
    {
      await using terminal = await run([NOTES])
      await answer(terminal, 'never')
      await terminal.stdout.match(/refused ERR_CAPABILITY_DENIED/)
    }
    await using terminal = await run([NOTES])
    await terminal.stdout.match(/refused ERR_CAPABILITY_DENIED/, { timeoutMs: 60_000 })
    assert.doesNotMatch(terminal.stdout.text(), /Answer: /)
  })

  it('is given less than it asked for when its user says so, and is not asked again what is granted', async () => {
    {
      await using terminal = await run(['localhost://other/*'])
      await answer(terminal, 'only localhost://*')
      await answer(terminal, 'always')
      await terminal.stdout.match(/expected something within localhost:\/\/other\/\*/)
      await answer(terminal, 'only localhost://other/one')
      await answer(terminal, 'always')
      await terminal.stdout.match(/granted localhost:\/\/other\/one/)
    }
    await using terminal = await run(['localhost://other/one'])
    await terminal.stdout.match(/granted localhost:\/\/other\/one/, { timeoutMs: 60_000 })
    assert.doesNotMatch(terminal.stdout.text(), /Answer: /)
  })

  it('cannot answer itself by what was typed before the question had settled', async () => {
    await using terminal = await run(['localhost://early/*'])
    await terminal.stdout.match(/asks you/, { timeoutMs: 60_000 })
    terminal.type('always')
    await terminal.stdout.match(/Answer: /)
    await sleep(300)
    assert.doesNotMatch(terminal.stdout.text(), /granted/)
    terminal.type('n')
    await terminal.stdout.match(/refused ERR_CAPABILITY_DENIED/)
  })

  it('cannot draw on the question, whatever it says', async () => {
    const trick = '\u001b[2J\u001b[1;1H\u202e who\u00a0\u00a0Your Bank'
    await using terminal = await run(['localhost://trick/*', trick])
    const { input } = await terminal.stdout.match(/Answer: /, { timeoutMs: 60_000 })
    const escapes = input.split('\u001b').slice(1)
    assert(
      escapes.every((rest) => /^\[[70]m/.test(rest)),
      input
    )
    assert.doesNotMatch(input, /\u202e/)
    assert.match(input, /it says +\|/)
    terminal.type('n')
    await terminal.stdout.match(/refused/)
  })

  it('lets its user pick the one file it may read', async () => {
    const picker = await writeCapsuleFolder(home.folder, {
      name: 'picker',
      script: `
        await capsule.request({ command: 'localhost/write', resource: 'localhost://*' })
        for (const path of ['a.txt', 'b.txt']) await capsule.call('localhost/write', { path, data: btoa(path) })
        const resource = 'localhost://*'
        const held = await capsule.request({ command: 'localhost/read', resource, pick: 'file' })
        capsule.write('picked ' + held.resource + '\\n')
        for (const path of ['a.txt', 'b.txt']) {
          const answer = await capsule.call('localhost/read', { path }).catch(() => ({ data: btoa('nothing') }))
          capsule.write(path + ' is ' + atob(answer.data) + '\\n')
        }
      `,
      manifest: { capabilities: CEILING, requires: [{ contract: 'localhost@1' }] }
    })
    const args = ['capsule', 'run', picker, '--dev', '--data', node.status.dataFolder]
    await using terminal = await home.terminal(args)
    await answer(terminal, 's')
    const { input } = await terminal.stdout.match(/a file of[^]*Answer: /, { timeoutMs: 60_000 })
    assert.match(input, /1 +a\.txt +localhost:\/\/a\.txt/)
    assert.match(input, /2 +b\.txt/)
    terminal.type('always')
    await terminal.stdout.match(/Answer: [^]*Answer: [^]*Answer: /)
    terminal.type('')
    await terminal.ended
    await using again = await home.terminal(args)
    await answer(again, 's')
    await again.stdout.match(/a file of[^]*Answer: /, { timeoutMs: 60_000 })
    again.type('2')
    await again.stdout.match(/of localhost:\/\/b\.txt[^]*Answer: /)
    again.type('s')
    await again.stdout.match(/picked localhost:\/\/b\.txt/)
    await again.stdout.match(/a\.txt is nothing[^]*b\.txt is b\.txt/)
  })

  it('shows nothing of what it writes while its question is open, and all of it afterwards', async () => {
    const chatty = await writeCapsuleFolder(home.folder, {
      name: 'chatty',
      script: `
        let count = 0
        const timer = setInterval(() => capsule.write('noise ' + count++ + '\\n'), 20)
        try {
          await capsule.request({ command: 'localhost/write', resource: 'localhost://*' })
          capsule.write('granted\\n')
        } catch { capsule.write('refused\\n') }
        clearInterval(timer)
      `,
      manifest: { capabilities: CEILING }
    })
    const args = ['capsule', 'run', chatty, '--dev', '--data', node.status.dataFolder]
    await using terminal = await home.terminal(args)
    const { input } = await terminal.stdout.match(/asks you[^]*Answer: /, { timeoutMs: 60_000 })
    await sleep(500)
    assert.equal(terminal.stdout.text(), input)
    terminal.type('o')
    await terminal.stdout.match(/Answer: [^]*noise \d+[^]*granted/)
    assert.equal((await terminal.ended).code, 0)
  })

  it('without a terminal is refused at once, with the command that grants it', async () => {
    const resource = 'localhost://piped/*'
    const args = ['capsule', 'run', folder, '--dev', '--data', node.status.dataFolder, '--', resource]
    const first = await home.run(args)
    assert.equal(first.stdout, 'refused ERR_CAPABILITY_DENIED\n')
    const id = /elastos grant answer ([0-9a-f]+) --allow always/.exec(first.stderr)?.[1]
    assert(id !== undefined, first.stderr)
    assertRefused(await node.run(['grant', 'answer', id, '--allow', 'once']), 'ERR_ANSWER_INVALID')
    await node.succeed(['grant', 'answer', id, '--allow', 'day'])
    assertRefused(await node.run(['grant', 'answer', id, '--deny']), 'ERR_QUESTION_UNKNOWN')
    const second = await home.run(args)
    assert.equal(second.stdout, `granted ${resource}\n`)
  })

  it('in the background waits for an answer from elsewhere', async () => {
    const flags = ['--dev', '--detach', '--data', node.status.dataFolder]
    const started = await home.run(['capsule', 'run', folder, ...flags, '--', 'localhost://later/*'])
    assert.equal(started.code, 0, started.stderr)
    const find = async (): Promise<Record<string, unknown> | undefined> =>
      (await pending()).find(
        ({ resource, isWaiting }) => resource === 'localhost://later/*' && isWaiting === true
      )
    const question = await eventually(find)
    await node.succeed(['grant', 'answer', String(question?.['id']), '--allow', 'once'])
    const logs = await eventually(async () => {
      const { stdout } = await node.succeed(['capsule', 'logs', 'asker'])
      return stdout.includes('granted localhost://later/*') ? stdout : undefined
    })
    assert(logs !== undefined)
  })
})

describe('the shell of development', function () {
  this.timeout(120_000)

  it('allows all, and says so at the start and in the status', async function () {
    await needs(this, 'bubblewrap')
    await using home = await createCliHome()
    await using node = await startCliNode(home, join(home.folder, 'node'), { flags: ['--shell', 'auto'] })
    assert.equal(node.status['shell'], 'auto')
    const status = await home.run(['node', 'status', '--data', node.status.dataFolder])
    assert.match(status.stdout, /AUTO: every capsule gets ALL it asks for, unasked/)
    const folder = await writeCapsuleFolder(home.folder, {
      name: 'asker',
      script: ASKER,
      manifest: { capabilities: CEILING }
    })
    const run = ['capsule', 'run', folder, '--dev', '--data', node.status.dataFolder, '--']
    const { stdout } = await home.run([...run, NOTES])
    assert.equal(stdout, `granted ${NOTES}\n`)
    const beyond = await home.run([...run, 'https://example.org/*'])
    assert.equal(beyond.stdout, 'refused ERR_CAPABILITY_CEILING\n')
  })
})
