/**
 * The only file of this folder that touches the process: it replaces time and chance in it, for our code and for every
 * package, and keeps what is needed to drive them.
 */
import { createHook } from 'node:async_hooks'
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { install, type Clock as FakeClock, type FakeMethod } from '@sinonjs/fake-timers'
import { START_MS } from './constants.ts'
import { SimError } from './errors.ts'
import { createRandomSource, type RandomSource } from './random-source.ts'
import { createVirtualTimers, type VirtualTimers } from './virtual-timers.ts'

/** A process whose time stands still until it is driven, and whose chance comes from a seed. */
export interface VirtualProcess {
  /** The source of everything random in this process. */
  readonly random: RandomSource
  /** Virtual time, milliseconds since the Unix epoch. */
  nowMs(): number
  /** Calls `task` once after so much virtual time; disposing the handle cancels it. */
  schedule(durationMs: number, task: () => void): Disposable
  /**
   * Moves time from timer to timer until `isDone` says so, which is asked before each, when promises, microtasks and ticks
   * have run out.
   *
   * @throws SimError `ERR_SIM_NATIVE` when something waits for the thread pool; what a timer throws, which would have ended a real
   * process, as what a tick throws ends this one
   */
  drive(isDone: () => boolean): Promise<void>
  /** Marks the process as used; false when it was before. */
  claim(): boolean
}

/** What shows the time. Timers are ours; microtasks and ticks stay: they have an order of their own, and no clock. */
const FAKED: FakeMethod[] = ['Date', 'performance', 'hrtime']

/** PKCS #8 around the 32 bytes of a private key (RFC 8410). */
const PKCS8_PREFIX = {
  x25519: Buffer.from('302e020100300506032b656e04220420', 'hex'),
  ed25519: Buffer.from('302e020100300506032b657004220420', 'hex')
} as const

/** Timers that ring in one turn of the real loop, which costs as much as a short timer: signals wait for its end. */
const TIMERS_PER_TURN = 256

const realSetImmediate = globalThis.setImmediate
/**
 * Runs ticks and microtasks until there are none, as Node does after each timer of its own: it has this function for that,
 * under no other name.
 */
const runTicks = (process as unknown as { _tickCallback(): void })._tickCallback
const realPerformance = globalThis.performance
const realNow = realPerformance.now.bind(realPerformance)

/** The module itself: an import of it in a bundle is an object of its own, whose functions nobody else calls. */
const nodeCrypto = process.getBuiltinModule('node:crypto')
const realRandomBytes = nodeCrypto.randomBytes

let installed: VirtualProcess | undefined

/**
 * Replaces time and chance in this process. Must run before anything that keeps a timer function or a random function
 * for itself is imported, which is why it is called by a preload.
 */
export function installVirtualProcess(): void {
  if (installed !== undefined) return
  const random = createRandomSource(0)
  const clock = install({ now: START_MS, toFake: FAKED })
  const timers = createVirtualTimers()
  replaceTimers(timers)
  replaceAbortTimeout()
  replaceRandom(random)
  syncBuiltinESMExports()
  installed = createVirtualProcess({ clock, timers, random })
}

/**
 * The virtual process of this one.
 *
 * @throws SimError `ERR_SIM_NOT_PRELOADED`
 */
export function virtualProcess(): VirtualProcess {
  if (installed !== undefined) return installed
  throw new SimError(
    'ERR_SIM_NOT_PRELOADED',
    'expected a process started with: node --import ./sim/preload.ts ./sim/main.ts run SCENARIO'
  )
}

/** Whether time and chance of this process are virtual. */
export function isVirtualProcess(): boolean {
  return installed !== undefined
}

/** Real time, for telling a person how long it took. Milliseconds since an arbitrary point. */
export function realMonotonicMs(): number {
  return realNow()
}

/** A seed that nobody chose. */
export function freshSeed(): number {
  return realRandomBytes(4).readUInt32LE()
}

/** The first bytes of a file as text: one that is much too large, or never ends, is not read for that. */
export function readTextStart(path: string, bytesMax: number): string {
  const bytes = Buffer.alloc(bytesMax)
  const file = openSync(path, 'r')
  try {
    let filled = 0
    for (let count = -1; count !== 0 && filled < bytesMax; filled += count)
      count = readSync(file, bytes, filled, bytesMax - filled, null)
    return bytes.toString('utf8', 0, filled)
  } finally {
    closeSync(file)
  }
}

interface Ground {
  readonly clock: FakeClock
  readonly timers: VirtualTimers
  readonly random: RandomSource
}

function createVirtualProcess({ clock, timers, random }: Ground): VirtualProcess {
  const native = watchNativeRequests()
  const refuseNative = (): void => {
    const type = native()
    if (type === undefined) return
    throw new SimError('ERR_SIM_NATIVE', `expected no work for the thread pool, got ${type}`)
  }
  let isClaimed = false
  return {
    random,
    nowMs: () => clock.now,
    schedule: (durationMs, task) => timers.after(durationMs, task),
    drive: async (isDone) => {
      await inTurns(() => {
        // what the thread pool does is told in the loop: whatever was begun since its last turn is still under way
        for (let rung = 0; rung < TIMERS_PER_TURN; rung++) {
          if (isDone()) return true
          const ring = timers.next(Infinity)
          clock.now = START_MS + timers.nowMs()
          ring?.()
          runTicks()
        }
        return false
      }, refuseNative)
    },
    claim: () => {
      const isFirst = !isClaimed
      isClaimed = true
      return isFirst
    }
  }
}

/** Does some of the work in each turn of the real loop, until it says that it is done, and checks after each turn. */
async function inTurns(work: () => boolean, check: () => void): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>()
  const turn = (): void => {
    try {
      const isDone = work()
      check()
      if (isDone) resolve(undefined)
      else realSetImmediate(turn)
    } catch (thrown) {
      reject(thrown)
    }
  }
  // ticks and microtasks run out, however many, before the loop comes to its check phase
  realSetImmediate(turn)
  await promise
}

/**
 * Looks for requests to the operating system and its thread pool: their order is real, not virtual. The result is
 * asked for the kind of one that is under way.
 */
function watchNativeRequests(): () => string | undefined {
  const pending = new Map<number, { readonly type: string; readonly resource: object }>()
  createHook({
    init: (...[id, type, , resource]) => {
      if (type.includes('REQ')) pending.set(id, { type, resource })
    },
    after: (id) => pending.delete(id),
    destroy: (id) => pending.delete(id),
    trackPromises: false
  }).enable()
  return () => {
    for (const [id, { type, resource }] of pending) {
      // node:crypto makes a job for a synchronous call too, which nobody is told the end of: it is done already
      const isSynchronous = type.endsWith('REQUEST') && !('ondone' in resource)
      if (!isSynchronous) return type
      pending.delete(id)
    }
    return undefined
  }
}

function replaceTimers({ functions, promises, nowMs }: VirtualTimers): void {
  Object.assign(globalThis, functions)
  Object.assign(process.getBuiltinModule('node:timers'), functions)
  Object.assign(process.getBuiltinModule('node:timers/promises'), promises)
  Object.assign(globalThis.performance, { now: nowMs })
}

function replaceAbortTimeout(): void {
  // one for all: most of these timers ring long after what they were for, and an error with its stack is dear
  const reason = new DOMException('The operation was aborted due to timeout', 'TimeoutError')
  AbortSignal.timeout = (durationMs) => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(reason), durationMs).unref()
    return controller.signal
  }
}

type RandomFillCallback = (error: Error | null, bytes: NodeJS.ArrayBufferView) => void

function replaceRandom(random: RandomSource): void {
  const fill = <T extends NodeJS.ArrayBufferView>(view: T, offset = 0, size?: number): T => {
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
    random.fill(bytes.subarray(offset, size === undefined ? undefined : offset + size))
    return view
  }
  const uuid = (): string => {
    const bytes = random.bytes(16)
    // RFC 9562 §5.4: version 4, variant 10
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
    return Buffer.from(bytes)
      .toString('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  }
  const randomBytes = (size: number, callback?: (error: Error | null, bytes: Buffer) => void): unknown => {
    const bytes = fill(Buffer.alloc(size))
    if (callback === undefined) return bytes
    process.nextTick(callback, null, bytes)
    return undefined
  }
  const randomFill = (view: NodeJS.ArrayBufferView, callback: RandomFillCallback): void => {
    process.nextTick(callback, null, fill(view))
  }
  const randomInt = (first: number, second?: number): number => {
    const [min, max] = second === undefined ? [0, first] : [first, second]
    return min + Math.floor(random.unit() * (max - min))
  }
  Math.random = random.unit
  // node:crypto hands out the global's own
  Object.assign(globalThis.crypto, { getRandomValues: fill, randomUUID: uuid })
  Object.assign(nodeCrypto, {
    ...{ randomBytes, randomFill, randomInt, randomUUID: uuid, randomFillSync: fill },
    generateKeyPairSync: (type: string, options?: KeyPairEncodings) => generateKeyPair(random, type, options)
  })
}

interface KeyPairEncodings {
  readonly publicKeyEncoding?: Parameters<KeyObject['export']>[0]
  readonly privateKeyEncoding?: Parameters<KeyObject['export']>[0]
}

/** OpenSSL draws its own randomness; a key made of seeded bytes does not. */
function generateKeyPair(random: RandomSource, type: string, options: KeyPairEncodings = {}): unknown {
  if (type !== 'x25519' && type !== 'ed25519') {
    throw new SimError('ERR_SIM_NATIVE', `expected keys that a seed can make, got a request for ${type}`)
  }
  const key = Buffer.concat([PKCS8_PREFIX[type], random.bytes(32)])
  const privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(privateKey)
  const { publicKeyEncoding, privateKeyEncoding } = options
  return {
    publicKey: publicKeyEncoding === undefined ? publicKey : publicKey.export(publicKeyEncoding),
    privateKey: privateKeyEncoding === undefined ? privateKey : privateKey.export(privateKeyEncoding)
  }
}
