import assert from 'node:assert/strict'
import { GuestInput } from '../../../capsule-host/guest/streams.ts'
import { DescriptorTable } from '../../../capsule-host/guest/wasi/descriptors.ts'
import { ERRNO, ProcessExit } from '../../../capsule-host/guest/wasi/errno.ts'
import type { WasiHost } from '../../../capsule-host/guest/wasi/host.ts'
import { answer, answerLater, createWasiCalls } from '../../../capsule-host/guest/wasi/imports.ts'
import { GuestMemory } from '../../../capsule-host/guest/wasi/memory.ts'
import { WASI_PARAMETERS, type WasiName } from '../../../capsule-host/guest/wasi/signatures.ts'
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts'

const PAGE = 65_536
/** Where tests put buffers; results go to 0. */
const AT = 1024

interface Program {
  readonly view: DataView
  readonly bytes: Uint8Array
  readonly clock: VirtualClock
  readonly stdin: GuestInput
  readonly channel: GuestInput
  readonly written: { descriptor: number; text: string }[]
  readonly wanted: number[]
  readonly exits: number[]
  call(name: WasiName, ...values: (number | bigint)[]): number
  callLater(name: 'fd_read' | 'poll_oneoff', ...values: number[]): Promise<number>
}

function createProgram(args: readonly string[] = ['name']): Program {
  const buffer = new ArrayBuffer(PAGE)
  const memory = new GuestMemory()
  memory.attach({ buffer })
  const clock = createVirtualClock(1_700_000_000_123.75)
  const written: Program['written'] = []
  const wanted: number[] = []
  const exits: number[] = []
  const stdin = new GuestInput({ windowBytes: 1024, want: (bytes) => wanted.push(bytes) })
  const channel = new GuestInput({ windowBytes: 1024 })
  const host: WasiHost = {
    memory,
    descriptors: new DescriptorTable(),
    args: args.map((argument) => new TextEncoder().encode(`${argument}\0`)),
    stdin,
    channel,
    write: (descriptor, bytes) => written.push({ descriptor, text: Buffer.from(bytes).toString() }),
    exit: (exitCode) => exits.push(exitCode),
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    after: (durationMs, task) => {
      const timer = clock.after(durationMs, task)
      return () => timer[Symbol.dispose]()
    },
    fillRandom: (bytes) => {
      assert(bytes.byteLength <= 65_536, 'more than the platform gives at a time')
      bytes.fill(7)
    }
  }
  const calls = createWasiCalls(host)
  return {
    view: new DataView(buffer),
    bytes: new Uint8Array(buffer),
    clock,
    stdin,
    channel,
    written,
    wanted,
    exits,
    call: (name, ...values) => {
      const all: Readonly<Record<string, (...values: never[]) => number>> = calls.immediate
      return answer(all[name]!)(...(values as never[]))
    },
    callLater: (name, ...values) => answerLater(calls.suspending[name]!)(...(values as never[]))
  }
}

/** Writes an array of buffers (`iovec`) at address 0. */
function vectors({ view }: Program, ...parts: readonly [address: number, length: number][]): number {
  parts.forEach(([address, length], index) => {
    view.setUint32(index * 8, address, true)
    view.setUint32(index * 8 + 4, length, true)
  })
  return parts.length
}

function put(program: Program, address: number, text: string): [number, number] {
  const bytes = new TextEncoder().encode(text)
  program.bytes.set(bytes, address)
  return [address, bytes.byteLength]
}

const textAt = ({ bytes }: Program, address: number, length: number): string =>
  Buffer.from(bytes.subarray(address, address + length)).toString()

describe('WASI: the program itself', () => {
  it('gets its arguments, and an empty environment', () => {
    const program = createProgram(['name', 'ä'])
    assert.equal(program.call('args_sizes_get', 0, 4), ERRNO.success)
    assert.deepEqual([program.view.getUint32(0, true), program.view.getUint32(4, true)], [2, 8])
    assert.equal(program.call('args_get', 16, AT), ERRNO.success)
    assert.deepEqual([program.view.getUint32(16, true), program.view.getUint32(20, true)], [AT, AT + 5])
    assert.equal(textAt(program, AT, 8), 'name\0ä\0')
    assert.equal(program.call('environ_sizes_get', 0, 4), ERRNO.success)
    assert.deepEqual([program.view.getUint32(0, true), program.view.getUint32(4, true)], [0, 0])
    assert.equal(program.call('environ_get', 0, 0), ERRNO.success)
  })

  it('sees clocks that go in whole milliseconds', () => {
    const program = createProgram()
    assert.equal(program.call('clock_time_get', 0, 0n, 0), ERRNO.success)
    assert.equal(program.view.getBigUint64(0, true), 1_700_000_000_123_000_000n)
    assert.equal(program.call('clock_time_get', 1, 0n, 0), ERRNO.success)
    assert.equal(program.view.getBigUint64(0, true) % 1_000_000n, 0n)
    assert.equal(program.call('clock_res_get', 0, 0), ERRNO.success)
    assert.equal(program.view.getBigUint64(0, true), 1_000_000n)
  })

  it('sees no processor time, which would tell it about its host', () => {
    for (const clock of [2, 3, 4, -1])
      assert.equal(createProgram().call('clock_time_get', clock, 0n, 0), ERRNO.inval)
  })

  it('gets randomness in pieces the platform gives, and not without bound', () => {
    const program = createProgram()
    assert.equal(program.call('random_get', 0, PAGE), ERRNO.success)
    assert(program.bytes.every((byte) => byte === 7))
    assert.equal(program.call('random_get', 0, 2 ** 30), ERRNO.inval)
    assert.equal(program.call('random_get', PAGE - 4, 8), ERRNO.fault)
  })

  it('says its exit code before it is unwound', () => {
    const program = createProgram()
    assert.throws(() => program.call('proc_exit', -1), ProcessExit)
    assert.deepEqual(program.exits, [0xffff_ffff])
  })
})

describe('WASI: streams', () => {
  it('writes all buffers in order, to standard output, error and the channel', () => {
    const program = createProgram()
    for (const descriptor of [1, 2, 3]) {
      const count = vectors(program, put(program, AT, 'hel'), put(program, AT + 100, 'lo'))
      assert.equal(program.call('fd_write', descriptor, 0, count, 64), ERRNO.success)
      assert.equal(program.view.getUint32(64, true), 5)
    }
    assert.deepEqual(
      program.written.map(({ descriptor, text }) => `${descriptor}${text}`),
      ['1hel', '1lo', '2hel', '2lo', '3hel', '3lo']
    )
  })

  it('does not write from outside its memory, or to where it cannot', () => {
    const program = createProgram()
    for (const [address, length] of [
      [PAGE, 1],
      [PAGE - 1, 2],
      [-1, 1],
      [4, 0xffff_ffff]
    ] as const) {
      assert.equal(program.call('fd_write', 1, 0, vectors(program, [address, length]), 64), ERRNO.fault)
    }
    assert.equal(program.call('fd_write', 1, PAGE - 4, 1, 64), ERRNO.fault)
    assert.equal(program.call('fd_write', 1, 0, 5000, 64), ERRNO.inval)
    assert.equal(program.call('fd_write', 0, 0, 0, 64), ERRNO.badf)
    assert.equal(program.call('fd_write', 4, 0, 0, 64), ERRNO.badf)
    assert.equal(program.written.length, 0)
  })

  it('reads what has come, waits when nothing has, and then sees the end', async () => {
    const program = createProgram()
    program.stdin.push(Buffer.from('abcdef'))
    const count = vectors(program, [AT, 2], [AT + 10, 2])
    assert.equal(await program.callLater('fd_read', 0, 0, count, 64), ERRNO.success)
    assert.equal(program.view.getUint32(64, true), 4)
    assert.equal(textAt(program, AT, 2) + textAt(program, AT + 10, 2), 'abcd')
    await program.callLater('fd_read', 0, 0, count, 64)
    assert.equal(program.view.getUint32(64, true), 2)
    const waiting = program.callLater('fd_read', 0, 0, count, 64)
    program.stdin.push(Buffer.from('x'))
    assert.equal(await waiting, ERRNO.success)
    assert.equal(textAt(program, AT, 1), 'x')
    program.stdin.end()
    await program.callLater('fd_read', 0, 0, count, 64)
    assert.equal(program.view.getUint32(64, true), 0)
  })

  it('asks the host for input only when it reads, and a window at a time', async () => {
    const program = createProgram()
    assert.deepEqual(program.wanted, [])
    const waiting = program.callLater('fd_read', 0, 0, vectors(program, [AT, 600]), 64)
    assert.deepEqual(program.wanted, [1024])
    program.stdin.push(new Uint8Array(600))
    await waiting
    void program.callLater('fd_read', 0, 0, vectors(program, [AT, 600]), 64)
    assert.deepEqual(program.wanted, [1024, 600])
  })

  it('reads the channel as a stream of its own', async () => {
    const program = createProgram()
    program.channel.push(Buffer.from('{}\n'))
    assert.equal(await program.callLater('fd_read', 3, 0, vectors(program, [AT, 10]), 64), ERRNO.success)
    assert.equal(textAt(program, AT, 3), '{}\n')
  })

  it('answers at once that nothing has come, when it asked not to wait', async () => {
    const program = createProgram()
    assert.equal(program.call('fd_fdstat_set_flags', 0, 4), ERRNO.success)
    const read = program.callLater('fd_read', 0, 0, vectors(program, [AT, 1]), 64)
    await program.clock.advance(0)
    assert.equal(await read, ERRNO.again)
    assert.equal(program.clock.pendingCount(), 0)
    assert.equal(program.call('fd_fdstat_set_flags', 0, 2), ERRNO.notsup)
    // What comes is let in, and was asked for.
    const again = program.callLater('fd_read', 0, 0, vectors(program, [AT, 10]), 64)
    assert.deepEqual(program.wanted, [1024])
    program.stdin.push(Buffer.from('abc'))
    assert.equal(await again, ERRNO.success)
    assert.equal(textAt(program, AT, 3), 'abc')
  })

  it('loses no input to an address outside its memory', async () => {
    const program = createProgram()
    program.stdin.push(Buffer.from('kept'))
    assert.equal(await program.callLater('fd_read', 0, 0, vectors(program, [PAGE, 4]), 64), ERRNO.fault)
    assert.equal(await program.callLater('fd_read', 0, 0, vectors(program, [AT, 4]), PAGE), ERRNO.fault)
    await program.callLater('fd_read', 0, 0, vectors(program, [AT, 4]), 64)
    assert.equal(textAt(program, AT, 4), 'kept')
    assert.equal(await program.callLater('fd_read', 1, 0, 1, 64), ERRNO.badf)
  })

  it('is a terminal-like stream to a C library, the channel a socket', () => {
    const program = createProgram()
    for (const [descriptor, type] of [
      [0, 2],
      [1, 2],
      [3, 6]
    ] as const) {
      assert.equal(program.call('fd_fdstat_get', descriptor, 0), ERRNO.success)
      assert.equal(program.view.getUint8(0), type)
      assert.equal(program.call('fd_filestat_get', descriptor, 0), ERRNO.success)
      assert.equal(program.view.getUint8(16), type)
    }
  })

  it('can be closed, and gives up no right it does not have', () => {
    const program = createProgram()
    assert.equal(program.call('fd_fdstat_set_rights', 1, 1n << 6n, 0n), ERRNO.success)
    assert.equal(program.call('fd_fdstat_set_rights', 1, 1n << 13n, 0n), ERRNO.notcapable)
    assert.equal(program.call('fd_close', 1), ERRNO.success)
    assert.equal(program.call('fd_close', 1), ERRNO.badf)
    assert.equal(program.call('fd_write', 1, 0, 0, 64), ERRNO.badf)
  })
})

describe('WASI: everything else', () => {
  const zeros = (name: WasiName): (number | bigint)[] =>
    Array.from<string, number | bigint>(WASI_PARAMETERS[name], (letter) => (letter === 'I' ? 0n : 0))

  it('is there, so that programs link', () => {
    const host = { descriptors: new DescriptorTable() } as WasiHost
    const withFiles = { ...host, askFiles: () => Promise.reject(new Error('nobody answers')) }
    for (const calls of [createWasiCalls(host), createWasiCalls(withFiles)]) {
      const names = [...Object.keys(calls.immediate), ...Object.keys(calls.suspending)]
      assert.deepEqual(names.toSorted(), Object.keys(WASI_PARAMETERS).toSorted())
    }
  })

  it('finds no preopened folder', () => {
    for (const descriptor of [0, 3, 4])
      assert.equal(createProgram().call('fd_prestat_get', descriptor, 0), ERRNO.badf)
  })

  for (const name of Object.keys(WASI_PARAMETERS) as WasiName[]) {
    if (
      !/^(path_|sock_)|fd_(advise|allocate|datasync|filestat_set|pread|pwrite|readdir|seek|sync|tell)/.test(
        name
      )
    )
      continue
    it(`${name} is refused on a stream and on what is not open`, () => {
      const program = createProgram()
      const before = program.bytes.slice()
      const refusals: number[] = [
        ERRNO.notdir,
        ERRNO.spipe,
        ERRNO.inval,
        ERRNO.notcapable,
        ERRNO.notsup,
        ERRNO.notsock
      ]
      assert(refusals.includes(program.call(name, ...zeros(name))))
      const place = name === 'path_symlink' ? 2 : 0
      const closed = zeros(name).with(place, 77)
      assert.equal(program.call(name, ...closed), ERRNO.badf)
      assert.deepEqual(program.bytes, before, 'nothing was written into its memory')
    })
  }

  it('answers that memory is missing before there is any', () => {
    const memory = new GuestMemory()
    assert.throws(() => memory.bytes(0, 1), { errno: ERRNO.fault })
  })
})

describe('WASI: poll', () => {
  const EVENTS = 4096
  const awaitClock = ({ view }: Program, index: number, [timeoutNs, flags = 0]: [bigint, number?]): void => {
    const at = AT + index * 48
    view.setBigUint64(at, BigInt(index + 1), true)
    view.setUint8(at + 8, 0)
    view.setUint32(at + 16, flags === 0 ? 1 : 0, true)
    view.setBigUint64(at + 24, timeoutNs, true)
    view.setUint16(at + 40, flags, true)
  }
  const awaitStream = ({ view }: Program, index: number, [kind, descriptor]: [1 | 2, number]): void => {
    const at = AT + index * 48
    view.setBigUint64(at, BigInt(index + 1), true)
    view.setUint8(at + 8, kind)
    view.setUint32(at + 16, descriptor, true)
  }
  const events = (
    program: Program
  ): { userdata: bigint; errno: number; kind: number; bytes: bigint; flags: number }[] =>
    Array.from({ length: program.view.getUint32(64, true) }, (_, index) => {
      const at = EVENTS + index * 32
      return {
        userdata: program.view.getBigUint64(at, true),
        errno: program.view.getUint16(at + 8, true),
        kind: program.view.getUint8(at + 10),
        bytes: program.view.getBigUint64(at + 16, true),
        flags: program.view.getUint16(at + 24, true)
      }
    })

  it('wakes when the first of two clocks is due', async () => {
    const program = createProgram()
    awaitClock(program, 0, [50_000_000n])
    awaitClock(program, 1, [20_000_000n])
    const polled = program.callLater('poll_oneoff', AT, EVENTS, 2, 64)
    await program.clock.advance(20)
    assert.equal(await polled, ERRNO.success)
    assert.deepEqual(
      events(program).map(({ userdata }) => userdata),
      [2n]
    )
    assert.equal(program.clock.pendingCount(), 0)
  })

  it('takes a time of day too, also one that has passed', async () => {
    const program = createProgram()
    awaitClock(program, 0, [1_700_000_000_133_000_000n, 1])
    const polled = program.callLater('poll_oneoff', AT, EVENTS, 1, 64)
    await program.clock.advance(10)
    assert.equal(await polled, ERRNO.success)
    awaitClock(program, 0, [1n, 1])
    assert.equal(await program.callLater('poll_oneoff', AT, EVENTS, 1, 64), ERRNO.success)
  })

  it('wakes for standard input and the channel, whichever comes first', async () => {
    const program = createProgram()
    awaitStream(program, 0, [1, 0])
    awaitStream(program, 1, [1, 3])
    awaitClock(program, 2, [1_000_000_000n])
    const polled = program.callLater('poll_oneoff', AT, EVENTS, 3, 64)
    assert.deepEqual(program.wanted, [1024])
    program.channel.push(Buffer.from('abc'))
    assert.equal(await polled, ERRNO.success)
    assert.deepEqual(events(program), [{ userdata: 2n, errno: 0, kind: 1, bytes: 3n, flags: 0 }])
    assert.equal(program.clock.pendingCount(), 0)
  })

  it('says that a stream has ended, that one can be written, and that one is not open', async () => {
    const program = createProgram()
    program.stdin.end()
    awaitStream(program, 0, [1, 0])
    awaitStream(program, 1, [2, 1])
    awaitStream(program, 2, [1, 9])
    awaitStream(program, 3, [2, 0])
    assert.equal(await program.callLater('poll_oneoff', AT, EVENTS, 4, 64), ERRNO.success)
    assert.deepEqual(
      events(program).map(({ errno, flags }) => [errno, flags]),
      [
        [0, 1],
        [0, 0],
        [ERRNO.badf, 0],
        [ERRNO.badf, 0]
      ]
    )
  })

  it('refuses none, too many, an unknown kind and an address outside', async () => {
    const program = createProgram()
    assert.equal(await program.callLater('poll_oneoff', AT, EVENTS, 0, 64), ERRNO.inval)
    assert.equal(await program.callLater('poll_oneoff', AT, EVENTS, 65, 64), ERRNO.inval)
    assert.equal(await program.callLater('poll_oneoff', PAGE - 8, EVENTS, 1, 64), ERRNO.fault)
    program.view.setUint8(AT + 8, 9)
    assert.equal(await program.callLater('poll_oneoff', AT, EVENTS, 1, 64), ERRNO.inval)
  })
})
