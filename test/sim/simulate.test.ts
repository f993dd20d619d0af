import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { simulate } from '#sim'
import { ROOT } from '../support/cli.ts'
import { runVirtual } from './run-simulation.ts'

describe('a simulation', function () {
  this.timeout(120_000)

  it('refuses a process whose time is real', async () => {
    await assert.rejects(simulate({ seed: 1, nodeCount: 1 }), { code: 'ERR_SIM_NOT_PRELOADED' })
  })

  it('says what there is when it is asked for something else', async () => {
    const run = await runVirtual('sim/main.ts', { args: ['run', 'nothing'], isVirtual: false })
    assert.equal(run.code, 2)
    assert.match(run.stdout, /ERR_SIM_UNKNOWN.*expected one of the scenarios .*meet-and-fetch/)
  })

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    it(`ends with ${signal} to the program that started it`, async () => {
      const args = [join(ROOT, 'sim', 'main.ts'), 'run', 'meet-and-fetch', '--seed', '1']
      const program = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] })
      const said: string[] = []
      // its lines end when nobody is left who could write one
      for await (const line of createInterface({ input: program.stdout })) {
        said.push(line)
        program.kill(signal)
      }
      assert.deepEqual(said, ['{"event":"seed","seed":1}'])
    })
  }

  it('refuses what it cannot simulate, counts silence as a failure, and passes a day in no time', async () => {
    const run = await runVirtual('test/sim/lone-node.ts')
    assert.equal(run.code, 0, run.stderr)
    const { refusals, passedMs } = JSON.parse(run.stdout) as {
      refusals: [code: string, message: string][]
      passedMs: number
    }
    const codes = refusals.map(([code]) => code)
    assert.deepEqual(codes, [
      ...['ERR_SIM_OPTION', 'ERR_SIM_OPTION', 'ERR_SIM_OPTION'],
      ...['ERR_SIM_INVARIANT', 'ERR_SIM_USED', 'ERR_SIM_STUCK', 'ERR_SIM_BUSY'],
      ...['ERR_OF_A_TIMER', 'ERR_SIM_NATIVE']
    ])
    assert.match(refusals[3]?.[1] ?? '', /nothing travelled/)
    assert.equal(passedMs, 86_400_000 + 1_000 + 1)
  })
})
