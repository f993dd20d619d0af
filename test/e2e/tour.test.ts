/** The two-minute tour of the README: its commands, run as they stand, show what a reader expects. */
import assert from 'node:assert/strict'
import { readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { createCliHome, ROOT } from '../support/cli.ts'
import { startProcess } from '../support/process.ts'
import { needs } from '../support/requirements.ts'

const TOUR_TIMEOUT_MS = 110_000

describe('the tour of the README', function () {
  this.timeout(TOUR_TIMEOUT_MS + 10_000)

  it('works as it is written', async function () {
    await needs(this, 'bubblewrap')
    const commands = readTour(await readFile(join(ROOT, 'README.md'), 'utf8'))
    await using home = await createCliHome()
    await symlink(join(ROOT, 'elastos'), join(home.folder, 'elastos'))
    await using shell = await startProcess({
      command: 'sh',
      args: ['-e', '-c', commands],
      cwd: home.folder,
      env: home.env
    })
    shell.endInput()
    const timer = setTimeout(() => shell.signal('SIGKILL'), TOUR_TIMEOUT_MS)
    const end = await shell.ended.finally(() => clearTimeout(timer))
    const output = shell.stdout.text()
    assert.equal(end.code, 0, output + shell.stderr.text())
    assert.match(output, /^made by alice$/m, 'the file did not come across')
    assert.match(output, /^elastos capsule run did:key:z6Mk\w+\/hello$/m, 'no line to paste was printed')
    assert.match(output, /^hello, world, from hello\nhello from bob$/m, 'the capsule did not answer')
    assert.equal(output.match(/^stopped$/gm)?.length, 3)
    assert.deepEqual(await home.running(), [])
    assert.equal(await readFile(join(home.folder, 'tour', 'copy.txt'), 'utf8'), 'made by alice\n')
  })
})

/** The shell commands between the marker and the end of the block that follows it. */
function readTour(readme: string): string {
  const block = /<!-- tour -->\s*```sh\n([^]*?)```/.exec(readme)?.[1]
  assert.ok(block !== undefined, 'the README has no block of commands behind <!-- tour -->')
  return block
}
