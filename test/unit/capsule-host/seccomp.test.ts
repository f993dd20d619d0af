import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { sandboxArch, seccompFilter } from '../../../capsule-host/sandbox/seccomp.ts'
import { SYSCALL_TABLES, type SandboxArch } from '../../../capsule-host/sandbox/syscalls.ts'

const ALLOW = 0x7fff_0000
const KILL = 0x8000_0000
const NOT_PERMITTED = 0x0005_0001
const NOT_IMPLEMENTED = 0x0005_0026
const AUDIT = { x86_64: 0xc000_003e, aarch64: 0xc000_00b7, i386: 0x4000_0003 }

interface SystemCall {
  readonly number: number
  readonly arch: number
  readonly args?: readonly number[]
}

/** Runs a classic BPF program as the kernel would, over `struct seccomp_data`. */
function judge(filter: Uint8Array, call: SystemCall): number {
  const data = new DataView(new ArrayBuffer(64))
  data.setUint32(0, call.number, true)
  data.setUint32(4, call.arch, true)
  call.args?.forEach((value, index) => data.setBigUint64(16 + index * 8, BigInt(value), true))
  const program = new DataView(filter.buffer, filter.byteOffset, filter.byteLength)
  let accumulator = 0
  for (let at = 0; at < program.byteLength / 8;) {
    const operation = program.getUint16(at * 8, true)
    const value = program.getUint32(at * 8 + 4, true)
    const jump = (condition: boolean): number => at + 1 + program.getUint8(at * 8 + (condition ? 2 : 3))
    if (operation === 0x06) return value
    if (operation === 0x20) {
      accumulator = data.getUint32(value, true)
      at++
    } else if (operation === 0x15) at = jump(accumulator === value)
    else if (operation === 0x35) at = jump(accumulator >= value)
    else if (operation === 0x45) at = jump((accumulator & value) !== 0)
    else assert.fail(`operation ${operation}`)
  }
  return assert.fail('the program ran past its end')
}

const NUMBERS = {
  x86_64: {
    read: 0,
    write: 1,
    mmap: 9,
    futex: 202,
    execve: 59,
    socket: 41,
    mount: 165,
    ptrace: 101,
    clone: 56,
    clone3: 435,
    ioctl: 16,
    fork: 57,
    prlimit64: 302
  },
  aarch64: {
    read: 63,
    write: 64,
    mmap: 222,
    futex: 98,
    execve: 221,
    socket: 198,
    mount: 40,
    ptrace: 117,
    clone: 220,
    clone3: 435,
    ioctl: 29,
    prlimit64: 261
  }
} as const

describe('the system call filter', () => {
  for (const arch of ['x86_64', 'aarch64'] as const satisfies SandboxArch[]) {
    const filter = seccompFilter(arch)
    const numbers = NUMBERS[arch]
    const ask = (number: number, ...args: number[]): number =>
      judge(filter, { number, arch: AUDIT[arch], args })

    it(`lets a process on ${arch} compute and talk over its pipes`, () => {
      for (const number of [
        numbers.read,
        numbers.write,
        numbers.mmap,
        numbers.futex,
        numbers.execve,
        numbers.prlimit64
      ]) {
        assert.equal(ask(number), ALLOW)
      }
    })

    it(`refuses the network, mounts and other processes on ${arch}`, () => {
      for (const number of [numbers.socket, numbers.mount, numbers.ptrace])
        assert.equal(ask(number), NOT_PERMITTED)
      for (const number of SYSCALL_TABLES[arch].refused) assert.equal(ask(number), NOT_PERMITTED)
    })

    it(`lets threads be made and processes and namespaces not on ${arch}`, () => {
      const thread = 0x003d_0f00
      assert.equal(ask(numbers.clone, thread), ALLOW)
      assert.equal(ask(numbers.clone, 17), NOT_PERMITTED)
      for (const namespace of [
        0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000
      ]) {
        assert.equal(ask(numbers.clone, thread | namespace), NOT_PERMITTED)
      }
      assert.equal(ask(numbers.clone3), NOT_IMPLEMENTED)
    })

    it(`keeps a process on ${arch} from typing into a terminal`, () => {
      assert.equal(ask(numbers.ioctl, 0, 0x5412), NOT_PERMITTED)
      assert.equal(ask(numbers.ioctl, 0, 0x541c), NOT_PERMITTED)
      assert.equal(ask(numbers.ioctl, 0, 0x5401), ALLOW)
      // A request is 32 bits: what stands above them changes nothing.
      assert.equal(ask(numbers.ioctl, 0, 0x1_0000_5412), NOT_PERMITTED)
    })

    it(`answers a call that is newer than the table as an old kernel would on ${arch}`, () => {
      assert.equal(ask(500), NOT_IMPLEMENTED)
    })

    it(`kills a process on ${arch} that calls in another convention`, () => {
      for (const other of [AUDIT.i386, arch === 'x86_64' ? AUDIT.aarch64 : AUDIT.x86_64]) {
        assert.equal(judge(filter, { number: numbers.read, arch: other }), KILL)
      }
    })

    it(`fits what the kernel takes on ${arch}`, () => {
      assert.equal(filter.byteLength % 8, 0)
      assert(filter.byteLength / 8 < 4096)
    })
  }

  it('kills a process that calls by the numbers of x32', () => {
    const call = { number: 0x4000_0000 + NUMBERS.x86_64.read, arch: AUDIT.x86_64 }
    assert.equal(judge(seccompFilter('x86_64'), call), KILL)
  })

  it('has the numbers of the kernel headers, where they are installed', async function () {
    const headers = await readFile('/usr/include/x86_64-linux-gnu/asm/unistd_64.h', 'utf8').catch(
      () => undefined
    )
    if (headers === undefined) return this.skip()
    const known = new Map<string, number>()
    for (const [, name = '', number] of headers.matchAll(/__NR_(\w+) (\d+)/g)) known.set(name, Number(number))
    for (const [name, number] of Object.entries(NUMBERS.x86_64)) assert.equal(number, known.get(name), name)
    for (const name of [
      'socket',
      'fork',
      'ptrace',
      'unshare',
      'bpf',
      'io_uring_setup',
      'userfaultfd',
      'memfd_create'
    ]) {
      assert(SYSCALL_TABLES.x86_64.refused.includes(known.get(name)!), name)
    }
  })

  it('is known for the processors Node names', () => {
    assert.equal(sandboxArch('x64'), 'x86_64')
    assert.equal(sandboxArch('arm64'), 'aarch64')
    assert.equal(sandboxArch('ia32'), undefined)
  })
})
