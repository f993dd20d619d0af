import { closeSync, openSync } from 'node:fs'
import { connect } from 'node:net'
import { basename, dirname } from 'node:path'
import { PassThrough } from 'node:stream'
import { encodeJsonLine } from '#contracts'
import {
  encodeVmFrame,
  systemVmmPowers,
  VM_FRAME,
  type MonitorEnd,
  type MonitorProcess,
  type VmmPowers
} from '#vmm'

/** A guest that says it can rehearse, and mount its image before it is told what to run. */
const HELLO = encodeVmFrame(VM_FRAME.hello, 0, Uint8Array.of(1, 2, 3))
const HELLO_OF_OLD = encodeVmFrame(VM_FRAME.hello, 0, Uint8Array.of(1))
/** With what its start message begins then. */
const REHEARSAL_FIELD = 8
const HEAD_BYTES = 8
/** Programs run as user 1000; as a little-endian u32. */
const PROGRAM_USER_BYTES = [0xe8, 0x03, 0, 0]
const FAILED = encodeVmFrame(VM_FRAME.failed, 0, Uint8Array.of(1, 5, 0, 0, 0))
const RUNNING = encodeVmFrame(VM_FRAME.running, 0)

/** A monitor of a fake host: what it was started for, what it was told, and whether it is gone. */
export interface FakeMachine {
  readonly role: 'kernel' | 'become' | 'start'
  /** The file that is its memory; empty of one that has none. */
  readonly memory: string
  /** Whether its guest mounted its image before it was told what to run. */
  readonly hasMounted: boolean
  readonly told: readonly string[]
  /** How often its guest rehearsed. */
  readonly rehearsals: number
  readonly hasEnded: boolean
  end(): void
  /** Has its guest write these bytes to the channel. */
  write(bytes: Uint8Array): void
}

/** A host whose monitors do as QEMU does, as far as templates go. */
export interface FakeHost {
  readonly powers: VmmPowers
  readonly machines: readonly FakeMachine[]
  /** What monitors refuse to do from now on. */
  readonly refused: Set<string>
  /** What monitors never answer from now on. */
  readonly unanswered: Set<string>
  memoryFreeMib: number
  /** What its guests do when they are to rehearse. */
  rehearsing: 'well' | 'badly' | 'without end' | 'not'
  /** Whether its guests can mount an image that they are given. */
  canMount: boolean
  /** Called with what a monitor is told, before it does that. */
  onTold: (command: string) => void
}

/** Makes a host without machines. */
export function createFakeHost(): FakeHost {
  const machines: FakeMachine[] = []
  const kills = new Map<number, () => void>()
  const host: Omit<FakeHost, 'powers'> = {
    machines,
    refused: new Set(),
    unanswered: new Set(),
    memoryFreeMib: 8192,
    rehearsing: 'well',
    canMount: true,
    onTold: () => undefined
  }
  const spawnMonitor: VmmPowers['spawnMonitor'] = ({ args }) => {
    const pid = 10_000 + machines.length
    const { machine, process } = startFake(args, pid, host)
    machines.push(machine)
    kills.set(pid, machine.end)
    return process
  }
  return Object.assign(host, {
    powers: {
      ...systemVmmPowers,
      spawnMonitor,
      killProcess: (pid: number) => kills.get(pid)?.(),
      readText: async () => `MemAvailable:   ${host.memoryFreeMib * 1024} kB\n`
    }
  })
}

function startFake(
  args: readonly string[],
  pid: number,
  host: Pick<FakeHost, 'refused' | 'unanswered' | 'onTold' | 'rehearsing' | 'canMount'>
): { machine: FakeMachine; process: MonitorProcess } {
  const [stdout, stderr, channel, status, control] = Array.from({ length: 5 }, () => new PassThrough())
  if (!stdout || !stderr || !channel || !status || !control) throw new Error('expected five streams')
  const ended = Promise.withResolvers<MonitorEnd>()
  const told: string[] = []
  let hasEnded = false
  const end = (): void => {
    hasEnded = true
    for (const stream of [stdout, stderr, channel, control]) stream.end()
    ended.resolve({ code: null, signal: 'SIGKILL' })
  }
  status.end(`{ "child-pid": ${pid} }\n`)
  const role = !args.includes('chardev=control,mode=control')
    ? 'kernel'
    : args.includes('-incoming')
      ? 'start'
      : 'become'
  if (role !== 'start') channel.write(host.rehearsing === 'not' ? HELLO_OF_OLD : HELLO)
  let rehearsals = 0
  let hasMounted = false
  const say = (message: unknown): void => void control.write(encodeJsonLine(message))
  const finishMove = (): void => say({ event: 'MIGRATION', data: { status: 'completed' } })
  const doAs = (command: string): void => {
    told.push(command)
    host.onTold(command)
    if (host.unanswered.has(command)) return
    if (host.refused.has(command)) {
      say({ error: { class: 'GenericError', desc: `no ${command} here` } })
      return
    }
    say({ return: {} })
    if (command === 'migrate') sendState(stateSocket(args), finishMove)
    if (command === 'migrate-incoming') finishMove()
  }
  say({ QMP: { version: {} } })
  return {
    machine: {
      role,
      told,
      end,
      write: (bytes) => void channel.write(bytes),
      memory: args[args.indexOf('/vm/memory') - 1] ?? '',
      get hasMounted() {
        return hasMounted
      },
      get rehearsals() {
        return rehearsals
      },
      get hasEnded() {
        return hasEnded
      }
    },
    process: {
      ...{
        pid,
        stdout,
        stderr,
        channel,
        status,
        ended: ended.promise,
        waitingBytes: 0,
        kill: end,
        close: () => undefined
      },
      write: (bytes) => {
        if (bytes[0] === VM_FRAME.mount) {
          const hasUser = bytes.subarray(HEAD_BYTES).join() === PROGRAM_USER_BYTES.join()
          hasMounted = host.canMount && hasUser
          channel.write(hasMounted ? HELLO : FAILED)
        }
        // The first it hears is what to run.
        if (bytes[0] !== VM_FRAME.start) return
        const isRehearsal = bytes[HEAD_BYTES] === REHEARSAL_FIELD
        if (isRehearsal) rehearsals += 1
        if (isRehearsal && host.rehearsing === 'without end') return
        channel.write(!isRehearsal ? RUNNING : host.rehearsing === 'well' ? HELLO : FAILED)
      },
      pair: (descriptor) =>
        descriptor !== 5 || role === 'kernel'
          ? undefined
          : {
              incoming: control,
              write: (bytes) => {
                const { execute } = JSON.parse(Buffer.from(bytes).toString('utf8')) as { execute: string }
                setImmediate(doAs, execute)
              }
            }
    }
  }
}

/** By its folder's descriptor, as paths of sockets are short. */
function sendState(path: string, done: () => void): void {
  const folder = openSync(dirname(path), 'r')
  const socket = connect(`/proc/self/fd/${folder}/${basename(path)}`)
  socket.end('the state')
  socket.once('close', () => {
    closeSync(folder)
    done()
  })
  socket.resume()
}

/** Where a monitor's jail shows it the socket for its state. */
function stateSocket(args: readonly string[]): string {
  return args[args.indexOf('/vm/state') - 1] ?? ''
}
