import { createCapsule, type Capsule, type CapsuleSystem } from '#sdk'
import type { BrokerSession } from '../../capsule-host/broker/broker.ts'
import type { CapsuleSession } from '../../capsule-host/broker/capsule-session.ts'
import { BARE_SESSION, type BrokerLab } from './capsule-broker.ts'

/** A capsule written with the SDK, in this process, on a channel of a real broker. */
export interface SdkCapsule {
  readonly capsule: Capsule
  readonly session: BrokerSession
  /** What was written to standard output and standard error. */
  readonly written: string[]
  /** Whether the channel alone would keep it running. */
  isKeptAlive(): boolean
  /** Ends its channel, as the host does. */
  hangUp(): void
  /** The code it was ended with for breaking the rules of the channel. */
  failedWith(): string | undefined
}

let opened = 0

/** Opens a session of `lab` for a capsule written with the SDK. */
export function startSdkCapsule(
  lab: Pick<BrokerLab, 'broker'>,
  init: Partial<CapsuleSession> & { stdin?: readonly string[] } = {}
): SdkCapsule {
  const { stdin = [], ...asked } = init
  const session = lab.broker.open({ ...BARE_SESSION, id: `sdk${++opened}`, ...asked })
  const waiting = new Map<number, { task: () => void; keepsAlive: () => boolean }>()
  const incoming = new Map<number, Uint8Array[]>([
    [0, [...stdin.map((text) => Buffer.from(text)), new Uint8Array(0)]],
    [3, []]
  ])
  const written: string[] = []
  let failed: string | undefined
  const wake = (): void =>
    void setImmediate(() => {
      for (const [descriptor, { task }] of waiting) {
        if ((incoming.get(descriptor) ?? []).length === 0) continue
        waiting.delete(descriptor)
        task()
      }
    })
  const receive = (bytes: Uint8Array): void => {
    incoming.get(3)?.push(bytes)
    wake()
  }
  const channel = session.channel({
    send: (lines) => receive(Uint8Array.from(lines)),
    waitingBytes: 0,
    fail: (error) => (failed = error.code)
  })
  const system: CapsuleSystem = {
    system: {
      args: ['test'],
      read: (descriptor) => incoming.get(descriptor)?.shift(),
      write: (descriptor, bytes) => {
        if (descriptor === 3) channel.push(Uint8Array.from(bytes))
        else written.push(Buffer.from(bytes).toString())
      },
      wait: () => [],
      nowMs: () => 0,
      monotonicMs: () => 0,
      fillRandom: () => undefined,
      exit: (code) => {
        throw new Error(`exit ${code}`)
      }
    },
    loop: {
      exitCode: 0,
      onReadable: (descriptor, task, options = {}) => {
        waiting.set(descriptor, { task, keepsAlive: options.keepsAlive ?? (() => true) })
        wake()
        return () => waiting.delete(descriptor)
      },
      schedule: () => 0,
      cancel: () => undefined
    }
  }
  return {
    capsule: createCapsule(() => system),
    ...{ session, written },
    isKeptAlive: () => [...waiting.values()].some(({ keepsAlive }) => keepsAlive()),
    hangUp: () => {
      channel.close()
      receive(new Uint8Array(0))
    },
    failedWith: () => failed
  }
}
