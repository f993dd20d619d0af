import assert from 'node:assert/strict'
import { join } from 'node:path'
import { silentLogger, systemClock } from '#contracts'
import { DEFAULT_CAPSULE_LIMITS, startMachineCapsule, systemPowers } from '#capsule-host'
import { openBrokerLab, BARE_SESSION } from '../../support/capsule-broker.ts'
import { provideGuest, writeImage } from '../../support/guest.ts'
import { probeHere, startTestMachine } from '../../support/machine.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

/** Introduces itself, asks for a capability and calls a provider: the same lines as from any substrate. */
const SCRIPT = `
ask() { echo "$1" >&3; read -r answer <&3; echo "$answer"; }
ask '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"versions":[1]}}'
ask '{"jsonrpc":"2.0","id":2,"method":"capability.request","params":{"command":"localhost/read","resource":"localhost://notes/a"}}'
ask '{"jsonrpc":"2.0","id":3,"method":"capability.request","params":{"command":"http/get","resource":"https://example.org/"}}'
exit 4`

interface Answer {
  readonly id: number
  readonly result?: Readonly<Record<string, unknown>>
  readonly error?: { readonly data: { readonly code: string } }
}

describe('a capsule in a machine', () => {
  it('speaks to the broker over its descriptor 3 as any other capsule', async function () {
    this.timeout(300_000)
    const { guest, shell } = await provideGuest(this)
    await using folder = await createTemporaryFolder()
    const image = join(folder.path, 'root.erofs')
    await writeImage(image, shell)
    await using lab = await openBrokerLab()
    const session = lab.broker.open({ ...BARE_SESSION, id: 'vm' })
    const report = await probeHere(guest)
    const machine = startTestMachine({ report, guest, image, program: { args: ['/bin/sh', '-c', SCRIPT] } })
    let output = ''
    await using capsule = startMachineCapsule(
      { powers: systemPowers, clock: systemClock, logger: silentLogger },
      {
        name: 'notes',
        limits: DEFAULT_CAPSULE_LIMITS,
        stdin: nothing(),
        stdout: { write: (bytes) => void (output += Buffer.from(bytes).toString()) },
        stderr: { write: (bytes) => void (output += Buffer.from(bytes).toString()) },
        channel: session.channel,
        signal: new AbortController().signal
      },
      machine
    )
    assert.deepEqual(await capsule.finished, { kind: 'exit', exitCode: 4 })
    const answers = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Answer)
    assert.deepEqual(
      answers.map(({ id }) => id),
      [1, 2, 3]
    )
    assert.equal(answers[0]?.result?.['version'], 1)
    assert.equal(answers[1]?.result?.['command'], 'localhost/read')
    assert.equal(answers[2]?.error?.data.code, 'ERR_CAPABILITY_CEILING', 'its manifest does not list it')
    assert.equal(lab.questions.length, 1)
  })
})

async function* nothing(): AsyncGenerator<Uint8Array> {
  // The program reads nothing.
}
