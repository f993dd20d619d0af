import assert from 'node:assert/strict'
import fc from 'fast-check'
import { silentLogger } from '#contracts'
import { DEFAULT_CAPSULE_LIMITS, startCapsuleProcess, type CapsuleOutcome } from '#capsule-host'
import { encodeFrame, encodeNumberFrame, FRAME, type FrameType } from '../../../capsule-host/guest/frames.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'
import { assembleProgram } from '../../support/wat.ts'
import { createMachine, SANDBOX } from './machine.ts'

const PROGRAM = assembleProgram({ body: '' })
/** Runs a capsule whose process says `bytes`, whatever they are, and ends. */
async function hear(bytes: Uint8Array): Promise<{ outcome: CapsuleOutcome; output: string }> {
  const stdout = Buffer.from(bytes).toString('latin1')
  const clock = createVirtualClock()
  let output = ''
  const capsule = startCapsuleProcess(
    {
      powers: createMachine({ run: () => ({ stdout, code: 139 }) }),
      clock,
      logger: silentLogger,
      sandbox: SANDBOX
    },
    {
      name: 'hostile',
      module: PROGRAM,
      limits: { ...DEFAULT_CAPSULE_LIMITS, outputBytesMax: 100_000 },
      stdin: (async function* () {
        yield Buffer.from('input')
      })(),
      stdout: { write: (written) => void (output += Buffer.from(written).toString()) },
      stderr: { write: () => undefined },
      signal: new AbortController().signal
    }
  )
  const outcome = await capsule.finished
  assert.equal(clock.pendingCount(), 0, 'no timer is left')
  return { outcome, output }
}

const frames = (...parts: readonly (readonly [FrameType, string | Uint8Array])[]): Uint8Array =>
  Buffer.concat(parts.map(([type, payload]) => encodeFrame(type, Buffer.from(payload as string))))

async function codeOf(bytes: Uint8Array): Promise<string | number> {
  const { outcome } = await hear(bytes)
  return outcome.kind === 'exit' ? outcome.exitCode : outcome.error.code
}

describe('a guest process that lies', () => {
  it('is heard only until its last frame', async () => {
    const said = Buffer.concat([
      frames([FRAME.ready, ''], [FRAME.stdout, 'before']),
      encodeNumberFrame(FRAME.exit, 3),
      frames([FRAME.stdout, 'after'])
    ])
    const { outcome, output } = await hear(said)
    assert.deepEqual(outcome, { kind: 'exit', exitCode: 3 })
    assert.equal(output, 'before')
  })

  for (const [what, code, bytes] of [
    ['ends without a word', 'ERR_SANDBOX_UNAVAILABLE', Buffer.alloc(0)],
    ['is up and ends', 'ERR_CAPSULE_CRASHED', frames([FRAME.ready, ''])],
    [
      'ends in the middle of a frame',
      'ERR_CAPSULE_CRASHED',
      frames([FRAME.ready, ''], [FRAME.stdout, 'x']).subarray(0, 9)
    ],
    [
      'announces a frame of gigabytes',
      'ERR_CAPSULE_CRASHED',
      Buffer.from([FRAME.stdout, 255, 255, 255, 255])
    ],
    ['gives an exit code of no bytes', 'ERR_CAPSULE_CRASHED', frames([FRAME.exit, ''])],
    ['fails in words that are no JSON', 'ERR_CAPSULE_TRAP', frames([FRAME.failed, '{'])],
    [
      'fails in a way nobody knows',
      'ERR_CAPSULE_TRAP',
      frames([FRAME.failed, '{"kind":"exit","message":{}}'])
    ],
    ['fails with null', 'ERR_CAPSULE_TRAP', frames([FRAME.failed, 'null'])],
    [
      'speaks as the host',
      'ERR_CAPSULE_CRASHED',
      frames([FRAME.ready, ''], [FRAME.start, '{}'], [FRAME.stdin, 'x'])
    ],
    [
      'asks for input without bound',
      'ERR_CAPSULE_CRASHED',
      frames(
        [FRAME.ready, ''],
        ...Array<[FrameType, Uint8Array]>(100).fill([FRAME.stdinWant, Uint8Array.of(255, 255, 255, 255)])
      )
    ],
    [
      'says more than it may in frames nobody knows',
      'ERR_CAPSULE_OUTPUT_LIMIT',
      frames(...Array<[FrameType, Uint8Array]>(3).fill([99 as FrameType, new Uint8Array(60_000)]))
    ]
  ] as [string, string, Uint8Array][]) {
    it(`${what}: ${code}`, async () => {
      assert.equal(await codeOf(bytes), code)
    })
  }

  it('says anything, and the capsule has ended with a code', async () => {
    const kinds = fc.constantFrom(...Object.values(FRAME), 0, 99)
    const said = fc.array(fc.tuple(kinds, fc.uint8Array({ maxLength: 40 })), { maxLength: 10 })
    await fc.assert(
      fc.asyncProperty(said, fc.uint8Array({ maxLength: 20 }), async (parts, rest) => {
        const bytes = Buffer.concat([frames(...(parts as [FrameType, Uint8Array][])), rest])
        const code = await codeOf(bytes)
        assert(typeof code === 'number' || code.startsWith('ERR_'))
      }),
      { numRuns: 300 }
    )
  })
})
