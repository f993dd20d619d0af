import assert from 'node:assert/strict'
import { keyPairFromSeed } from '#did'
import sessions from '../../../vectors/capsule-channel/sessions.json' with { type: 'json' }
import { openBrokerLab, type FakeCapsule } from '../../../support/capsule-broker.ts'

type Json = Record<string, unknown>

/** One turn of a conversation: what the capsule sends, and all the host says to that. */
interface Turn {
  readonly sends: readonly object[]
  readonly gets: readonly object[]
}

/** A text `$NAME` in a vector is whatever came there first, and the same wherever it comes again. */
class Blanks {
  readonly #filled = new Map<string, string>()

  fill(value: unknown): unknown {
    return JSON.parse(JSON.stringify(value), (_key, part: unknown) =>
      typeof part === 'string' && part.startsWith('$') ? (this.#filled.get(part) ?? part) : part
    ) as unknown
  }

  learn(expected: unknown, got: unknown): void {
    if (typeof expected === 'string' && expected.startsWith('$') && typeof got === 'string') {
      if (!this.#filled.has(expected)) this.#filled.set(expected, got)
    } else if (typeof expected === 'object' && expected !== null && typeof got === 'object' && got !== null) {
      for (const [key, part] of Object.entries(expected)) this.learn(part, (got as Json)[key])
    }
  }
}

async function talk(
  capsule: FakeCapsule,
  settle: () => Promise<void>,
  turns: readonly Turn[]
): Promise<void> {
  const blanks = new Blanks()
  for (const { sends, gets } of turns) {
    const before = capsule.received.length
    for (const message of sends) capsule.write(`${JSON.stringify(blanks.fill(message))}\n`)
    await settle()
    const got = capsule.received.slice(before)
    blanks.learn(gets, got)
    assert.deepEqual(got, blanks.fill(gets))
  }
}

describe('conversations on the runtime channel', () => {
  for (const { comment, isIntroduced, turns } of sessions) {
    it(comment, async () => {
      await using lab = await openBrokerLab({ device: keyPairFromSeed(new Uint8Array(32).fill(1)) })
      lab.decide = async ({ command }) =>
        command === 'localhost/delete'
          ? { isAllowed: false, isDurable: true, decidedBy: 'person' }
          : { isAllowed: true, scope: 'session', decidedBy: 'person' }
      lab.providers.set('localhost@1', {
        call: async ({ resource }) => {
          if (resource === 'localhost://a.txt') return { data: 'aGVsbG8=', isEnd: true }
          throw Object.assign(new Error(), { code: 'ERR_FILE_NOT_FOUND' })
        },
        open: async function* () {}
      })
      lab.providers.set('peer@1', {
        call: async () => ({}),
        open: async function* () {
          for (let count = 1; count <= 3; count++) yield { type: 'dropped', code: 'slow-consumer', count }
        }
      })
      const capsule = lab.connect({ ceiling: CEILING, terminal: TERMINAL })
      if (isIntroduced) await capsule.request('initialize', { versions: [1] })
      await talk(capsule, async () => await lab.clock.settle(), turns)
    })
  }
})

const CEILING = [
  { command: 'localhost/*', resource: 'localhost://*' },
  { command: 'peer/*', resource: 'elastos://peer/room/*' }
]
const TERMINAL = { status: () => ({ columns: 80, rows: 24, isRaw: false }), setRaw: () => undefined }
