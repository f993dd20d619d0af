import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunReport } from '#sim'
import { createCliHome } from '../support/cli.ts'
import { assertRefused } from '../support/cli-node.ts'
import { runVirtual } from './run-simulation.ts'

const OUTPUTS = ['report', 'series', 'trace'] as const
const RUN = ['sim', 'run', 'small-churn', '--seed', '1', '--duration', '5s', '--json']

describe('the files of a simulation', function () {
  this.timeout(120_000)

  it('replace nothing unless told, and are refused before anything runs', async () => {
    await using home = await createCliHome()
    const flags = OUTPUTS.flatMap((name) => [`--${name}`, name])
    for (const name of OUTPUTS) {
      const path = join(home.folder, name)
      await writeFile(path, 'mine')
      const refused = await home.run([...RUN, ...flags])
      assertRefused(refused, 'ERR_SIM_OUTPUT_EXISTS')
      assert.equal(refused.code, 6)
      assert.equal(await readFile(path, 'utf8'), 'mine')
      const outputs = (await readdir(home.folder)).filter((one) => OUTPUTS.some((output) => output === one))
      assert.deepEqual(outputs.toSorted(), OUTPUTS.slice(0, OUTPUTS.indexOf(name) + 1))
    }
    const written = await home.run([...RUN, ...flags, '--force'])
    assert.equal(written.code, 0)
    // the program that people have, and these sources, are two checkouts
    const args = RUN.slice(1).filter((arg) => arg !== '--json')
    const { stdout } = await runVirtual('sim/main.ts', { args, isVirtual: false })
    const report = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as RunReport
    assert.deepEqual(Object.entries(written.json ?? {}).at(-1), ['traceHash', report.traceHash])
    for (const name of OUTPUTS) assert.notEqual(await readFile(join(home.folder, name), 'utf8'), 'mine')
  })
})
