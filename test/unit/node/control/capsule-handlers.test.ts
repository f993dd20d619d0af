import assert from 'node:assert/strict'
import { createRunningTable } from '#capsule-host'
import { systemClock } from '#contracts'
import type { CapsuleStreams, VerifiedPackage } from '../../../../node/capsules.ts'
import { createCapsuleHandlers, type CapsuleHandlerParts } from '../../../../node/control/capsule-handlers.ts'
import { createRunTerminals } from '../../../../node/control/terminal-handlers.ts'

const CAPSULE = {
  lineage: 'did:key:z1/hello',
  status: { name: 'hello', version: '1.0.0', cid: 'bafyhello' }
} as unknown as VerifiedPackage

/** A node whose only capsule runs until it is stopped; `verified` is called when it was found. */
function createHandlers(verified: () => void): ReturnType<typeof createCapsuleHandlers> {
  const parts = {
    capsules: {
      verify: async () => {
        verified()
        return await Promise.resolve(CAPSULE)
      },
      run: async (_: VerifiedPackage, { signal }: CapsuleStreams) =>
        await new Promise<number>((_resolve, reject) => {
          const stop = (): void => reject(signal.reason as Error)
          if (signal.aborted) stop()
          signal.addEventListener('abort', stop)
        })
    },
    installed: {
      lifecycle: { lookup: () => undefined },
      running: createRunningTable(systemClock),
      logs: { append: async () => await Promise.resolve() }
    },
    questions: { desk: { watch: () => ({ [Symbol.dispose]: () => undefined }) } },
    terminals: createRunTerminals(),
    toLineage: (target: string) => target,
    clock: systemClock
  }
  return createCapsuleHandlers(parts as unknown as CapsuleHandlerParts)
}

describe('a capsule that a command runs', () => {
  for (const [where, terminal] of [
    ['over pipes', undefined],
    ['at a terminal', { columns: 80, rows: 24 }]
  ] as const) {
    it(`ends ${where} with a caller who left while it was verified`, async () => {
      const leaving = new AbortController()
      const handlers = createHandlers(() => leaving.abort(new Error('nobody is there')))
      const context = {
        signal: leaving.signal,
        emit: async () => await Promise.resolve(),
        nextInput: async () => await Promise.resolve(undefined)
      }
      const params = { target: 'hello', args: [], ...(terminal === undefined ? {} : { terminal }) }
      await assert.rejects(handlers['capsule.run'](params, context), /nobody is there/)
    })
  }
})
