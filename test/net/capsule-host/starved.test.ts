import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { startProcess } from '../../support/process.ts'
import { needs } from '../../support/requirements.ts'

const MAIN = fileURLToPath(import.meta.resolve('./starved-main.ts'))

describe('a node without descriptors left', () => {
  it('is told that no process could be started, and lives', async function () {
    await needs(this, 'linux')
    const args = ['-c', 'ulimit -n 128; exec "$0" "$1"', process.execPath, MAIN]
    await using starved = await startProcess({ command: 'sh', args })
    const { code } = await starved.ended
    assert.equal(code, 0, starved.stderr.text())
    assert.equal(starved.stdout.text(), 'alive after EMFILE\n')
  })
})
