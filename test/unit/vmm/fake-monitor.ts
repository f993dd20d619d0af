import { PassThrough } from 'node:stream'
import type { MonitorEnd, MonitorSpawn, VmmPowers } from '#vmm'

/** The inner process of a fake jail, as it tells it. */
const INNER_PID = 4242

/** A monitor that does what a test says. */
export interface FakeMonitor {
  readonly powers: Pick<VmmPowers, 'spawnMonitor' | 'killProcess'>
  /** What was started. */
  readonly spawned: MonitorSpawn[]
  /** What its guest heard on the channel. */
  readonly heard: Uint8Array[]
  readonly isKilled: boolean
  /** Its guest leaves so many bytes where they are. */
  leave(bytes: number): void
  /** Its guest says something on the channel. */
  say(bytes: Uint8Array): void
  console(text: string): void
  end(how: MonitorEnd): void
  /** Waits until what is on its way has come and `isSo`. */
  until(isSo: () => boolean): Promise<void>
}

/** Makes one monitor; each start of it is the same one. */
export function createFakeMonitor(): FakeMonitor {
  const [stdout, stderr, channel, status] = [
    new PassThrough(),
    new PassThrough(),
    new PassThrough(),
    new PassThrough()
  ]
  const ended = Promise.withResolvers<MonitorEnd>()
  const spawned: MonitorSpawn[] = []
  const heard: Uint8Array[] = []
  let isKilled = false
  let waitingBytes = 0
  const kill = (): void => {
    isKilled = true
    ended.resolve({ code: null, signal: 'SIGKILL' })
  }
  status.end(`{ "child-pid": ${INNER_PID} }\n`)
  return {
    spawned,
    heard,
    get isKilled() {
      return isKilled
    },
    powers: {
      spawnMonitor: (init) => {
        spawned.push(init)
        return {
          pair: () => undefined,
          ...{ pid: 4241, stdout, stderr, channel, status, kill, ended: ended.promise },
          get waitingBytes() {
            return waitingBytes
          },
          write: (bytes) => heard.push(bytes),
          close: () => {
            for (const stream of [stdout, stderr, channel]) stream.end()
          }
        }
      },
      killProcess: (pid) => {
        if (pid === INNER_PID) kill()
      }
    },
    leave: (bytes) => {
      waitingBytes = bytes
    },
    say: (bytes) => channel.write(bytes),
    console: (text) => stdout.write(text),
    end: (how) => ended.resolve(how),
    until: async (isSo) => {
      do await new Promise((resolve) => setImmediate(resolve))
      while (!isSo())
    }
  }
}
