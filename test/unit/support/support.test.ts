import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { endMarkedProcesses, markedProcesses, MARK_VARIABLE } from '../../support/marked-processes.ts'
import { startProcess } from '../../support/process.ts'
import { startTerminal } from '../../support/pty.ts'
import { needs } from '../../support/requirements.ts'
import { createLastingFolder, createTemporaryFolder } from '../../support/temporary-folder.ts'

const NODE = process.execPath

describe('support: a temporary folder', () => {
  it('is gone with its content when disposed', async () => {
    let path: string
    {
      await using folder = await createTemporaryFolder()
      path = folder.path
      await writeFile(join(path, 'file'), 'x')
    }
    await assert.rejects(stat(path), { code: 'ENOENT' })
  })

  it('that lasts goes when the next one is made, once its process is gone', async () => {
    const name = `elastos-${randomUUID()}`
    const first = await createLastingFolder(name)
    const end = await startProcess({ command: NODE, args: ['-e', ''] })
    await end.ended
    const left = first.replace(`-${process.pid}-`, `-${end.pid}-`)
    await mkdir(join(left, 'deeper'), { recursive: true })
    const second = await createLastingFolder(name)
    await assert.rejects(stat(left), { code: 'ENOENT' })
    for (const folder of [first, second]) {
      assert.ok((await stat(folder)).isDirectory())
      await rm(folder, { recursive: true })
    }
  })
})

describe('support: a process', () => {
  it('gives lines, JSON events and the exit code', async () => {
    const program = `console.log('{"event":"listening","port":1}'); console.error('note'); process.exitCode = 3`
    await using running = await startProcess({ command: NODE, args: ['-e', program] })
    assert.deepEqual(await running.event('listening'), { event: 'listening', port: 1 })
    assert.deepEqual(await running.ended, { code: 3, signal: null })
    assert.equal(running.stderr.text(), 'note\n')
  })

  it('echoes what is written and ends with its input', async () => {
    await using running = await startProcess({
      command: NODE,
      args: ['-e', 'process.stdin.pipe(process.stdout)']
    })
    running.write('héllo\n')
    assert.equal(await running.stdout.line((line) => line.startsWith('h')), 'héllo')
    running.endInput()
    assert.deepEqual(await running.ended, { code: 0, signal: null })
  })

  it('says what came when the awaited line never does', async () => {
    await using running = await startProcess({ command: NODE, args: ['-e', 'console.log("other")'] })
    await assert.rejects(running.event('listening'), /before the event "listening".*\nother/s)
  })

  it('is killed when it ignores the request to end', async () => {
    const program = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('ready')`
    await using running = await startProcess({ command: NODE, args: ['-e', program] })
    await running.stdout.match(/ready/)
    assert.deepEqual(await running.end({ graceMs: 50 }), { code: null, signal: 'SIGKILL' })
  })

  it('rejects when the command does not exist', async () => {
    await assert.rejects(startProcess({ command: '/nonexistent/command' }), { code: 'ENOENT' })
  })
})

describe('support: marked processes', () => {
  before(async function () {
    await needs(this, 'linux')
  })

  it('finds and ends a process that outlived its parent', async () => {
    const mark = `support-${String(process.pid)}`
    const daemon = `setInterval(() => {}, 1000)`
    const parent = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(daemon)}],
      { detached: true, stdio: 'ignore' }).unref()`
    await using running = await startProcess({
      command: NODE,
      args: ['-e', parent],
      env: { ...process.env, [MARK_VARIABLE]: mark }
    })
    await running.ended
    assert.equal((await markedProcesses(mark)).length, 1)
    assert.equal((await endMarkedProcesses(mark)).length, 1)
    assert.deepEqual(await markedProcesses(mark), [])
  })
})

describe('support: a terminal', () => {
  before(async function () {
    await needs(this, 'terminal')
  })

  it('is one for the command, takes typing, and gives its exit code', async () => {
    const program = `
      console.log('tty ' + process.stdin.isTTY + ' ' + process.stdout.columns + " it's quoted")
      process.stdin.once('data', (line) => { console.log('got', String(line).trim()); process.exit(4) })`
    await using terminal = await startTerminal({ command: NODE, args: ['-e', program], columns: 72 })
    await terminal.stdout.match(/tty true 72 it's quoted/)
    terminal.type('hello')
    await terminal.stdout.match(/got hello/)
    assert.equal((await terminal.ended).code, 4)
  })

  it('passes Ctrl-C as an interrupt', async () => {
    const program = `process.on('SIGINT', () => process.exit(7)); setInterval(() => {}, 1000); console.log('ready')`
    await using terminal = await startTerminal({ command: NODE, args: ['-e', program] })
    await terminal.stdout.match(/ready/)
    terminal.control('c')
    assert.equal((await terminal.ended).code, 7)
  })
})
