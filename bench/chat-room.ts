import { converse, openRoom, PROCESSES, wordsOf, type Talked } from './chat-hosts.ts'
import type { Benchmark } from './harness.ts'

const MEMBERS = Number(process.env['CHAT_MEMBERS'] ?? 50)
const TALK_S = 20
const PER_SECOND = 10

let last: Talked | undefined
let worst: Talked | undefined
let slowestMs = 0
let startCpuMs = 0

/**
 * `chat-room`: whole nodes with their own sockets and data folders in one room on loopback, in as many processes as there are
 * cores, ten messages a second: how long a message takes to a member, 99 of 100; it fails when one is lost or comes twice.
 */
export const benchmarks: readonly Benchmark[] = [
  {
    ...{ name: 'chat-room', unit: 'ms', better: 'lower', runs: 3, target: { oursMax: 500 } },
    baselineName: 'the median of the same messages',
    get setting() {
      const started = `${MEMBERS} nodes in ${PROCESSES} processes, ${Math.round(startCpuMs)} ms of processor time to start and join`
      return worst === undefined
        ? started
        : `${started}; the worst run: ${wordsOf(worst)}; the slowest delivery of all: ${slowestMs} ms`
    },
    open: async () => {
      await using stack = new AsyncDisposableStack()
      const room = await openRoom(stack, { members: MEMBERS, isLogged: false })
      startCpuMs = room.startCpuMs
      const talk = async (): Promise<Talked> => {
        last = await converse(room, { seconds: TALK_S, perSecond: PER_SECOND })
        slowestMs = Math.max(slowestMs, last.maxMs)
        if (worst === undefined || worst.p99Ms < last.p99Ms) worst = last
        return last
      }
      const opened = stack.move()
      return {
        ours: async () => (await talk()).p99Ms,
        baseline: async () => (last ?? (await talk())).p50Ms,
        [Symbol.asyncDispose]: () => opened.disposeAsync()
      }
    }
  }
]
