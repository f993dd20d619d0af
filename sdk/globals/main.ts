/**
 * The globals of a TypeScript capsule: what scripts expect around them (`console`, timers, text encoding, `crypto`,
 * `performance`, `AbortController`), and the turns of its event loop. Runs once, when the runtime is made; what it
 * leaves behind is frozen into every capsule.
 */
import { AbortController, AbortSignal } from './abort.ts'
import { createConsole } from './console.ts'
import { createEventLoop, type EventLoop } from './event-loop.ts'
import { inspect } from './inspect.ts'
import { createRandom } from './random.ts'
import type { RawSystem } from './raw.ts'
import { createSystem, SYSTEM_SYMBOL, type System } from './system.ts'
import { createTextCodecs } from './text-encoding.ts'

/** What the SDK finds of the capsule it runs in. */
export interface CapsuleSystem {
  readonly system: System
  readonly loop: EventLoop
}

/** What the toolchain takes from here: the first it calls with the script, the others the runtime module calls. */
export interface RuntimeHooks {
  begin(main: () => unknown): void
  turnHook(): number
  rejectedHook(promise: unknown, reason: unknown, isHandled: number): void
}

/** Sets the globals up over what the runtime module offers. The toolchain calls this, once. */
export function install(raw: RawSystem): RuntimeHooks {
  const system = createSystem(raw)
  const codecs = createTextCodecs(raw)
  const text = new codecs.TextEncoder()
  const writeLine = (descriptor: number, line: string): void =>
    system.write(descriptor, text.encode(`${line}\n`))
  const { loop, turns } = createEventLoop({ system, report: (error) => writeLine(2, inspect(error)) })
  const random = createRandom(system)
  let startMs: number | undefined

  const globals: Record<string | symbol, unknown> = {
    ...codecs,
    AbortController,
    AbortSignal,
    console: createConsole(writeLine),
    setTimeout: (task: (...values: unknown[]) => void, delayMs = 0, ...values: unknown[]) =>
      loop.schedule(() => task(...values), delayMs, false),
    setInterval: (task: (...values: unknown[]) => void, delayMs = 0, ...values: unknown[]) =>
      loop.schedule(() => task(...values), delayMs, true),
    clearTimeout: (timer: number) => loop.cancel(timer),
    clearInterval: (timer: number) => loop.cancel(timer),
    performance: {
      // From its first use: when the capsule was built is no time of its run.
      now: () => {
        const nowMs = system.monotonicMs()
        return nowMs - (startMs ??= nowMs)
      }
    },
    crypto: { getRandomValues: random.fill, randomUUID: random.uuid },
    [SYSTEM_SYMBOL]: { system, loop } satisfies CapsuleSystem
  }
  for (const key of Reflect.ownKeys(globals)) {
    Object.defineProperty(globalThis, key, {
      value: globals[key],
      writable: true,
      configurable: true,
      enumerable: false
    })
  }
  Object.defineProperty(Math, 'random', { value: random.fraction, writable: true, configurable: true })
  return {
    begin: (main) => turns.begin(main),
    turnHook: () => turns.turn(),
    rejectedHook: (promise, reason, isHandled) => turns.rejected(promise, reason, isHandled)
  }
}
