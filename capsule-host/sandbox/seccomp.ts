import { SYSCALL_TABLES, UNKNOWN_SYSCALLS_FROM, type SandboxArch } from './syscalls.ts'

/** Offsets in `struct seccomp_data` of `linux/seccomp.h`; arguments are 64 bits, the low half first. */
const DATA = { number: 0, arch: 4, firstArgument: 16, secondArgument: 24 } as const
/** Operations of `linux/bpf_common.h`. */
const OPERATION = { load: 0x20, jumpEqual: 0x15, jumpAtLeast: 0x35, jumpAnySet: 0x45, return: 0x06 } as const
/** Answers of `linux/seccomp.h`, with the error number in the low half. */
const ANSWER = {
  kill: 0x8000_0000,
  allow: 0x7fff_0000,
  notPermitted: 0x0005_0001,
  notImplemented: 0x0005_0026
} as const

/** Flags of `linux/sched.h`. */
const CLONE_THREAD = 0x0001_0000
const CLONE_NAMESPACES = 0x7e02_0000
/** Requests of `asm-generic/ioctls.h` that type into a terminal. */
const TIOCSTI = 0x5412
const TIOCLINUX = 0x541c

const INSTRUCTION_BYTES = 8

interface Instruction {
  readonly operation: number
  readonly ifTrue: number
  readonly ifFalse: number
  readonly value: number
}

/**
 * The system call filter of a capsule's process, as a classic BPF program (`struct sock_filter`, little-endian) for
 * bubblewrap's `--seccomp`. A call in another convention kills the process; a refused one answers `EPERM`; threads
 * may be made and processes may not; what is newer than the table answers `ENOSYS`.
 *
 * @see https://www.kernel.org/doc/html/latest/userspace-api/seccomp_filter.html
 */
export function seccompFilter(arch: SandboxArch): Uint8Array<ArrayBuffer> {
  const table = SYSCALL_TABLES[arch]
  const foreign = table.foreignFrom
  return assemble([
    load(DATA.arch),
    ...unlessEqual(table.auditArch, ANSWER.kill),
    load(DATA.number),
    ...(foreign === undefined ? [] : ifAtLeast(foreign, ANSWER.kill)),
    ...ifAtLeast(UNKNOWN_SYSCALLS_FROM, ANSWER.notImplemented),
    // Its flags lie in memory, where a filter cannot look; libraries fall back to clone.
    ...ifEqual(table.clone3, ANSWER.notImplemented),
    ...inCall(table.clone, [
      load(DATA.firstArgument),
      ...ifAnySet(CLONE_NAMESPACES, ANSWER.notPermitted),
      ...ifAnySet(CLONE_THREAD, ANSWER.allow),
      answer(ANSWER.notPermitted)
    ]),
    ...inCall(table.ioctl, [
      load(DATA.secondArgument),
      ...ifEqual(TIOCSTI, ANSWER.notPermitted),
      ...ifEqual(TIOCLINUX, ANSWER.notPermitted),
      answer(ANSWER.allow)
    ]),
    ...table.refused.flatMap((number) => ifEqual(number, ANSWER.notPermitted)),
    answer(ANSWER.allow)
  ])
}

/** The filter's name for what Node calls a processor; `undefined` for one it does not know. */
export function sandboxArch(nodeArch: string): SandboxArch | undefined {
  if (nodeArch === 'x64') return 'x86_64'
  return nodeArch === 'arm64' ? 'aarch64' : undefined
}

function load(offset: number): Instruction {
  return { operation: OPERATION.load, ifTrue: 0, ifFalse: 0, value: offset }
}

function answer(value: number): Instruction {
  return { operation: OPERATION.return, ifTrue: 0, ifFalse: 0, value }
}

function ifEqual(value: number, then: number): Instruction[] {
  return [{ operation: OPERATION.jumpEqual, ifTrue: 0, ifFalse: 1, value }, answer(then)]
}

function unlessEqual(value: number, then: number): Instruction[] {
  return [{ operation: OPERATION.jumpEqual, ifTrue: 1, ifFalse: 0, value }, answer(then)]
}

function ifAtLeast(value: number, then: number): Instruction[] {
  return [{ operation: OPERATION.jumpAtLeast, ifTrue: 0, ifFalse: 1, value }, answer(then)]
}

function ifAnySet(mask: number, then: number): Instruction[] {
  return [{ operation: OPERATION.jumpAnySet, ifTrue: 0, ifFalse: 1, value: mask }, answer(then)]
}

/** `body` for one system call only; it must end in an answer, because it leaves another value loaded. */
function inCall(number: number, body: readonly Instruction[]): Instruction[] {
  return [{ operation: OPERATION.jumpEqual, ifTrue: 0, ifFalse: body.length, value: number }, ...body]
}

function assemble(instructions: readonly Instruction[]): Uint8Array<ArrayBuffer> {
  const program = new Uint8Array(instructions.length * INSTRUCTION_BYTES)
  const view = new DataView(program.buffer)
  instructions.forEach(({ operation, ifTrue, ifFalse, value }, index) => {
    const at = index * INSTRUCTION_BYTES
    view.setUint16(at, operation, true)
    view.setUint8(at + 2, ifTrue)
    view.setUint8(at + 3, ifFalse)
    view.setUint32(at + 4, value, true)
  })
  return program
}
