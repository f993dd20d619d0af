import assert from 'node:assert/strict'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { multiaddr } from '@multiformats/multiaddr'
import { systemClock } from '#contracts'
import type { BulkConnection, BulkSockets } from '../../../../content/stream/bulk-sockets.ts'
import type { Frame } from '../../../../content/stream/frames.ts'
import { answerSocketFrames } from '../../../../content/stream/socket-answers.ts'

const FINGERPRINT = new Uint8Array(32)

function socketsOf(side: 'dial' | 'accept'): BulkSockets {
  return {
    fingerprint: FINGERPRINT,
    sideOf: () => side,
    expect: ({ signal }) => ({
      token: new Uint8Array(32),
      pipe: new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error))
      })
    }),
    dial: async () => await Promise.reject(new Error('nobody is dialled'))
  }
}

describe('answers about a second socket', () => {
  for (const [side, frame] of [
    ['accept', { type: 'socket-hello', fingerprint: FINGERPRINT }],
    ['dial', { type: 'socket-please' }]
  ] as const satisfies readonly (readonly ['dial' | 'accept', Frame])[]) {
    it(`outlive a peer that says ${frame.type} and then takes nothing`, async () => {
      const unhandled: unknown[] = []
      const note = (cause: unknown): void => {
        unhandled.push(cause)
      }
      const before = process.listeners('unhandledRejection')
      process.removeAllListeners('unhandledRejection').on('unhandledRejection', note)
      const ended = new AbortController()
      const taken = Promise.withResolvers<void>()
      const failed = Promise.withResolvers<unknown>()
      try {
        const answer = answerSocketFrames({
          sockets: socketsOf(side),
          connection: {
            remoteAddr: multiaddr('/ip4/127.0.0.1/tcp/1'),
            direction: 'inbound'
          } as BulkConnection,
          clock: systemClock,
          timeoutMs: 60_000,
          onPipe: () => assert.fail('there is no socket'),
          onFailed: failed.resolve
        })
        answer(frame, { send: async () => await taken.promise, signal: ended.signal })
        await nextTurn()
        ended.abort(new Error('the channel has ended'))
        await nextTurn()
        await nextTurn()
        taken.resolve()
        assert.match(String(await failed.promise), /the channel has ended/)
        assert.deepEqual(unhandled, [])
      } finally {
        process.removeAllListeners('unhandledRejection')
        for (const listener of before) process.on('unhandledRejection', listener)
      }
    })
  }
})
