import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import {
  DEFAULT_CAPSULE_LIMITS,
  mendingCommands,
  probeSandbox,
  startCapsuleProcess,
  type SandboxReport
} from '#capsule-host'
import { silentLogger } from '#contracts'
import { createVirtualClock } from '../../support/virtual-clock.ts'
import { createMachine, type Machine } from './machine.ts'

/** A machine on which bubblewrap is installed and refused: what its /proc says, what bubblewrap says, what mends it. */
interface RefusingMachine {
  readonly name: string
  /** Where the facts are from; none of these machines was at hand. */
  readonly source: string
  readonly files: Readonly<Record<string, string>>
  readonly bubblewrap: string
  readonly mend: string
}

const machines = JSON.parse(
  readFileSync(new URL('../../vectors/sandbox-machines/machines.json', import.meta.url), 'utf8')
) as RefusingMachine[]

async function probe(facts: RefusingMachine): Promise<{ report: SandboxReport; machine: Machine }> {
  const machine = createMachine({
    programs: ['bwrap', 'prlimit', 'ldd', 'nice'],
    files: facts.files,
    run: ({ args }) => (args.includes('--unshare-all') ? { code: 1, stderr: facts.bubblewrap } : {})
  })
  const report = await probeSandbox(
    { powers: machine, clock: createVirtualClock() },
    { guestEntry: '/opt/app/dist/capsule-guest.mjs' }
  )
  return { report, machine }
}

describe('machines that refuse a sandbox, by what is written of them', () => {
  for (const facts of machines) {
    it(`${facts.name}: says the command that mends it`, async () => {
      const { report } = await probe(facts)
      assert.equal(report.level, 'process')
      assert.deepEqual(mendingCommands(report), [facts.mend])
      assert.equal(report.checks.find(({ isOk }) => !isOk)?.found, facts.bubblewrap.trim())
    })

    it(`${facts.name}: a stranger's capsule is refused and nothing is started for it`, async () => {
      const { report, machine } = await probe(facts)
      const before = machine.started.length
      const start = (): unknown =>
        startCapsuleProcess(
          { powers: machine, clock: createVirtualClock(), logger: silentLogger, sandbox: report },
          {
            name: 'hello',
            module: new Uint8Array(0),
            limits: DEFAULT_CAPSULE_LIMITS,
            stdin: [] as unknown as AsyncIterable<Uint8Array>,
            stdout: { write: () => undefined },
            stderr: { write: () => undefined },
            signal: new AbortController().signal
          }
        )
      assert.throws(start, { code: 'ERR_SANDBOX_UNAVAILABLE', detail: [facts.mend] })
      assert.equal(machine.started.length, before)
    })
  }

  it('the profile for AppArmor is written as it is meant, line by line', async () => {
    const { report } = await probe(machines[0]!)
    const [command = ''] = mendingCommands(report)
    // The part before the pipe only prints.
    const { stdout } = await promisify(execFile)('/bin/sh', ['-c', command.split(' | ')[0] ?? ''])
    assert.equal(
      stdout,
      'abi <abi/4.0>,\ninclude <tunables/global>\nprofile bwrap /usr/bin/bwrap flags=(unconfined) {\n  userns,\n}\n'
    )
  })
})
