import assert from 'node:assert/strict'
import { ROOT } from '../../support/cli.ts'
import { startProcess, type RunningProcess } from '../../support/process.ts'
import { startTerminal } from '../../support/pty.ts'
import { needs } from '../../support/requirements.ts'

/** A wrapper as `npm start` is one, around a program that says which signals came and takes its time. */
const PROGRAM = `
  for (const name of ['SIGINT', 'SIGTERM'])
    process.on(name, () => { console.log(name); setTimeout(() => process.exit(6), 300) })
  setInterval(() => {}, 1000)
  console.log('ready')`
const WRAPPER = `
  import { runInOurPlace } from '${ROOT}/scripts/setup/command.js'
  process.exitCode = await runInOurPlace(process.execPath, ['-e', process.argv[1]])`

const wrapped = (program: string) => ({
  command: process.execPath,
  args: ['--input-type=module', '-e', WRAPPER, program]
})

describe('a wrapper around a program', () => {
  it('ends with its exit code', async () => {
    await using running = await startProcess(wrapped('process.exitCode = 42'))
    assert.equal((await running.ended).code, 42)
  })

  it('ends with 128 and the number of the signal that ended it', async () => {
    await using running = await startProcess(wrapped(`process.kill(process.pid, 'SIGKILL')`))
    assert.equal((await running.ended).code, 137)
  })

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`passes ${signal} on once, however often it comes`, async () => {
      await using running = await startProcess(wrapped(PROGRAM))
      await running.stdout.match(/ready/)
      running.signal(signal)
      await running.stdout.match(new RegExp(signal))
      running.signal(signal)
      assert.equal((await running.ended).code, 6)
      assert.equal(countOf(running, signal), 1)
    })
  }

  it('leaves Ctrl-C to the terminal, so that it comes once', async function () {
    await needs(this, 'terminal')
    await using terminal = await startTerminal(wrapped(PROGRAM))
    await terminal.stdout.match(/ready/)
    terminal.control('c')
    assert.equal((await terminal.ended).code, 6)
    assert.equal(countOf(terminal, 'SIGINT'), 1)
  })
})

function countOf(running: RunningProcess, word: string): number {
  return running.stdout.text().split(word).length - 1
}
