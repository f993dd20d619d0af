import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT } from '../../support/cli.ts'
import { startProcess } from '../../support/process.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

/** What `npm test` does after its set-up. */
const DRIVER = `
  import { runTests } from '${ROOT}/scripts/test/run.js'
  const missing = [{ name: 'moonlight', reason: 'it is day' }]
  process.exitCode = await runTests({ node: process.execPath, missing, args: process.argv.slice(1) })`

describe('npm test', () => {
  it('closes with the counts, and with what was skipped, by name and reason', async () => {
    const { code, lines } = await runTests(`
      import { skipBecause } from '${ROOT}/test/support/requirements.ts'
      describe('things', () => {
        it('pass', () => {})
        it('need a moon', function () { skipBecause(this, 'no moon tonight') })
      })
      describe('a suite', () => {
        before(function () { skipBecause(this, 'no sun either') })
        it('is skipped', () => {})
      })`)
    assert.deepEqual(lines.slice(-4), [
      'skipped: package moonlight: it is day',
      'skipped: things need a moon: no moon tonight',
      'skipped: a suite is skipped: no sun either',
      '1 passed, 0 failed, 2 skipped'
    ])
    assert.equal(code, 0)
  })

  it('fails with a failing test', async () => {
    const { code, lines } = await runTests(`it('fails', () => { throw new Error('on purpose') })`)
    assert.equal(lines.at(-1), '0 passed, 1 failed, 0 skipped')
    assert.equal(code, 1)
  })

  it('fails when the process dies, and names the test that ran', async () => {
    const { code, lines } = await runTests(`
      it('lives', () => {})
      it('dies', () => { process.kill(process.pid, 'SIGKILL') })`)
    assert.deepEqual(lines.slice(-2), [
      'failed: mocha was ended by SIGKILL; last test begun: dies',
      '1 passed, 1 failed, 0 skipped'
    ])
    assert.equal(code, 1)
  })

  it('fails when a test leaves a handle open, and names its kind', async () => {
    const { code, lines, stderr } = await runTests(`it('leaks', () => { setInterval(() => {}, 1000) })`, {
      ELASTOS_TEST_LINGER_MS: '1200'
    })
    assert.equal(lines.at(-1), '1 passed, 1 failed, 0 skipped')
    assert.match(lines.at(-2) ?? '', /left a handle open/)
    assert.match(stderr, /kept alive by: .*Timeout/)
    assert.equal(code, 1)
  })

  it('names the suite after which a process and a socket stayed open, and what they are', async () => {
    const { stderr } = await runTests(
      `import { spawn } from 'node:child_process'
       import { connect, createServer } from 'node:net'
       describe('is clean', () => { it('opens nothing', () => {}) })
       describe('is not', () => {
         it('leaks', async () => {
           spawn('sleep', ['3'])
           const server = createServer().listen(0, '127.0.0.1', () => connect(server.address().port, '127.0.0.1'))
           await new Promise((resolve) => server.on('connection', resolve))
         })
       })`,
      { ELASTOS_TEST_LINGER_MS: '1200' }
    )
    assert.match(stderr, /process \d+ \(sleep 3\), open after: is not/)
    assert.match(stderr, /server \{.*\}, open after: is not/)
    assert.match(stderr, /socket 127\.0\.0\.1:\d+ to 127\.0\.0\.1:\d+, open after: is not/)
  })

  it('fails when a file cannot be loaded', async () => {
    const { code, lines } = await runTests(`import './absent.ts'`)
    assert.match(lines.at(-1) ?? '', /^0 passed, 1 failed, 0 skipped$/)
    assert.equal(code, 1)
  })
})

async function runTests(
  text: string,
  env: NodeJS.ProcessEnv = {}
): Promise<{ code: number | null; lines: readonly string[]; stderr: string }> {
  await using folder = await createTemporaryFolder()
  const file = join(folder.path, 'some.test.ts')
  await writeFile(file, text)
  await using running = await startProcess({
    command: process.execPath,
    args: ['--input-type=module', '-e', DRIVER, file],
    cwd: ROOT,
    env: { ...process.env, ...env }
  })
  const { code } = await running.ended
  return { code, lines: running.stdout.lines(), stderr: running.stderr.text() }
}
