import assert from 'node:assert/strict'
import { DEFAULT_CAPSULE_LIMITS } from '#capsule-host'
import { failureError, silentEndError } from '../../../capsule-host/process/outcome.ts'

const LIMITS = DEFAULT_CAPSULE_LIMITS
const MIB = 1024 * 1024
const gone = (code: number | null, signal: string | null = null, log = ''): string =>
  silentEndError({ end: { code, signal }, wasReady: true, log }, LIMITS).code

describe('how a capsule ended', () => {
  it('without a word is told by what its process left', () => {
    assert.equal(gone(152), 'ERR_CAPSULE_TIME_LIMIT')
    assert.equal(gone(null, 'SIGXCPU'), 'ERR_CAPSULE_TIME_LIMIT')
    assert.equal(
      gone(134, null, 'FATAL ERROR: Reached heap limit Allocation failed'),
      'ERR_CAPSULE_MEMORY_LIMIT'
    )
    assert.equal(gone(137), 'ERR_CAPSULE_CRASHED')
    assert.equal(gone(139), 'ERR_CAPSULE_CRASHED')
    assert.equal(gone(0), 'ERR_CAPSULE_CRASHED')
  })

  it("before it was up is the sandbox's fault, in the sandbox's words", () => {
    const error = silentEndError(
      { end: { code: 1, signal: null }, wasReady: false, log: 'bwrap: no\u001b[31m\nsecond\n' },
      LIMITS
    )
    assert.equal(error.code, 'ERR_SANDBOX_UNAVAILABLE')
    assert.deepEqual(error.detail, ['bwrap: no?[31m', 'second'])
  })

  it('by a trap is out of memory only when its memory had grown near its limit', () => {
    const trap = { kind: 'trap', message: 'unreachable' } as const
    const code = (memoryBytesAtStart: number, memoryBytes: number): string =>
      failureError({ ...trap, memoryBytesAtStart, memoryBytes }, LIMITS).code
    assert.equal(code(MIB, 60 * MIB), 'ERR_CAPSULE_MEMORY_LIMIT')
    assert.equal(code(MIB, 2 * MIB), 'ERR_CAPSULE_TRAP')
    assert.equal(code(64 * MIB, 64 * MIB), 'ERR_CAPSULE_TRAP')
  })

  it('never carries control characters of the capsule', () => {
    const { message } = failureError(
      {
        kind: 'module',
        message: 'name "\u001b[31m\u009b\u202e"\nline',
        memoryBytes: 0,
        memoryBytesAtStart: 0
      },
      LIMITS
    )
    assert.doesNotMatch(message, /[\p{Cc}\u202e]/u)
  })
})
