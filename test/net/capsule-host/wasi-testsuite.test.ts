import assert from 'node:assert/strict'
import { createWasiWorld, memoryFiles } from '../../support/wasi-world.ts'
import { wasiTestsuiteOrSkip, type SuiteProgram } from '../wasi-testsuite.ts'

/** Programs the official suite has for preview 1; fewer means that something was not found. */
const PROGRAMS_MIN = 72

describe('the official WASI test suite', () => {
  let programs: SuiteProgram[]

  before(async function () {
    programs = await wasiTestsuiteOrSkip(this)
  })

  it('passes in full', async function () {
    this.timeout(120_000)
    const failures: string[] = []
    for (const program of programs) {
      const failure = await runProgram(program)
      if (failure !== undefined) failures.push(`${program.name}: ${failure}`)
    }
    assert.deepEqual(failures, [])
    assert(programs.length >= PROGRAMS_MIN, `expected ${PROGRAMS_MIN} programs, found ${programs.length}`)
  })
})

/** Why a program of the suite failed. */
async function runProgram(program: SuiteProgram): Promise<string | undefined> {
  const { root, args, environment } = program
  const files = root === undefined ? undefined : await memoryFiles(root, { hasLinks: true })
  // The suite expects its folder, not a channel, as descriptor 3.
  const world = createWasiWorld({ files, args, environment, preopen: '/', hasChannel: false })
  const end = await world.run(program.module)
  if (end.kind !== 'exit') return `${end.kind}: ${end.message}; ${world.output(2)}`
  if (end.exitCode !== program.exitCode) return `exit code ${end.exitCode}; ${world.output(2)}`
  const stdout = world.output(1)
  return program.stdout === undefined || program.stdout === stdout ? undefined : `it printed ${stdout}`
}
