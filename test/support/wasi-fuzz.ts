import assert from 'node:assert/strict'
import fc from 'fast-check'
import { CapsuleError, checkFilePath, createMemoryFiles, serveFiles, type CapsuleFiles } from '#capsule-host'
import { ProcessExit } from '../../capsule-host/guest/wasi/errno.ts'
import { WASI_PARAMETERS, type WasiName } from '../../capsule-host/guest/wasi/signatures.ts'
import { encodeFileRequest } from '../../capsule-host/guest/file-messages.ts'
import { ALL, createWasiCaller, OPEN } from './wasi-caller.ts'
import { memoryFiles } from './wasi-world.ts'

/** Errors a program may be answered with are the numbers of WASI, of which there are 77. */
const ERRNOS = 77
const MEMORY_BYTES = 4 * 65_536
/** Where path texts and buffer lists are laid, so that calls get somewhere. */
const TEXTS = 1024

interface FuzzedCall {
  readonly name: WasiName
  readonly values: readonly (number | bigint)[]
  readonly texts: readonly string[]
}

const address = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(0, 64, TEXTS, TEXTS + 512, 4096, 65_536) },
  { weight: 2, arbitrary: fc.nat(MEMORY_BYTES + 64) },
  { weight: 1, arbitrary: fc.constantFrom(-1, 0x7fff_ffff, -0x8000_0000, MEMORY_BYTES - 1, MEMORY_BYTES) }
)
const number = fc.oneof(
  { weight: 5, arbitrary: fc.nat(12) },
  { weight: 3, arbitrary: address },
  { weight: 1, arbitrary: fc.integer() }
)
const long = fc.oneof(
  fc.bigInt(0n, 300n),
  fc.constantFrom(0n, 1n << 28n, (1n << 28n) - 1n, (1n << 29n) - 1n, -1n, 1n << 53n, 1n << 62n, -(1n << 63n)),
  fc.bigInt(-(1n << 63n), (1n << 63n) - 1n)
)
const text = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    'dir',
    'dir/a',
    'dir/b',
    '.',
    '..',
    '../a',
    'dir/../..',
    '/etc/passwd',
    'link',
    ''
  ),
  fc.constantFrom('dir/', 'a/', './dir/./a', 'x/../../y', '\0', 'ü', 'n'.repeat(300), 'd/'.repeat(100)),
  fc.string({ maxLength: 20, unit: 'binary' })
)

/** A call with values that are sometimes sensible. */
const fuzzedCall: fc.Arbitrary<FuzzedCall> = fc
  .constantFrom(...(Object.keys(WASI_PARAMETERS) as WasiName[]))
  .chain((name) =>
    fc.record({
      name: fc.constant(name),
      values: fc.tuple(
        ...Array.from(WASI_PARAMETERS[name], (kind): fc.Arbitrary<number | bigint> =>
          kind === 'I' ? long : number
        )
      ),
      texts: fc.array(text, { minLength: 2, maxLength: 2 })
    })
  )

/** Programs that call anything with anything. */
export const fuzzedProgram: fc.Arbitrary<FuzzedCall[]> = fc.array(fuzzedCall, { minLength: 1, maxLength: 60 })

/**
 * Makes the calls of a fuzzed program: each is answered with an error number, none reaches further than its memory and
 * its files, and the host hears of no path that is not of the one form.
 */
export async function runFuzzedProgram(calls: readonly FuzzedCall[]): Promise<void> {
  const files = watched(
    await memoryFiles({ a: 'content', 'dir/': '', 'dir/a': 'x' }, { hasLinks: true, bytesMax: 1 << 20 })
  )
  const program = createWasiCaller({
    files: files.files,
    stdin: 'some input',
    openFilesMax: 8,
    isTimeJumping: true
  })
  program.world.host.channel.end()
  await program.open('a')
  await program.open('dir', { flags: OPEN.folder, inheriting: ALL })
  await program.open('dir/a', { fdflags: 1 })
  for (const { name, values, texts } of calls) {
    if (name === 'poll_oneoff') layDueClock(program.bytes)
    else layTexts(program, texts)
    try {
      const errno = await program.call(name, ...pointed(name, values, texts))
      assert(Number.isInteger(errno) && errno >= 0 && errno < ERRNOS, `${name} answered ${errno}`)
    } catch (thrown) {
      if (thrown instanceof ProcessExit) break
      throw new Error(`${name}(${values.join(', ')}) threw`, { cause: thrown })
    }
    assert.equal(program.bytes.byteLength, MEMORY_BYTES)
  }
  await program.world.settled()
  assert.equal(files.openCount(), 0, 'a file was left open')
}

/** Half of the time, a call's addresses and lengths are those of the texts. */
function pointed(
  name: WasiName,
  values: readonly (number | bigint)[],
  texts: readonly string[]
): (number | bigint)[] {
  const result = [...values]
  const [first = '', second = ''] = texts
  if (name.startsWith('fd_') && first.length % 2 === 0) {
    // The preopened folder, and what is opened before a program begins.
    result[0] = 4 + (second.length % 4)
    if (/read$|write$/.test(name)) result.splice(1, 2, 64, 2)
    return result
  }
  if (!name.startsWith('path_') || first.length === 1) return result
  const places =
    name === 'path_symlink' ? [0, 3] : name === 'path_rename' ? [1, 4] : name === 'path_link' ? [2, 5] : null
  const only = /open|filestat/.test(name) ? 2 : 1
  for (const [index, place] of (places ?? [only]).entries()) {
    result[place] = TEXTS + index * 512
    result[place + 1] = Math.min(512, Buffer.byteLength(texts[index] ?? ''))
  }
  // And the folder is one.
  result[name === 'path_symlink' ? 2 : 0] = 4
  return result
}

function layTexts({ bytes, view }: ReturnType<typeof createWasiCaller>, texts: readonly string[]): void {
  for (const [index, part] of texts.entries())
    bytes.set(Buffer.from(part).subarray(0, 512), TEXTS + index * 512)
  // Two buffers at 64.
  for (const [index, value] of [65_536, 100, TEXTS, 20].entries()) view.setUint32(64 + index * 4, value, true)
}

/** A clock that is due at each place a subscription is likely to be read from. */
function layDueClock(bytes: Uint8Array): void {
  bytes.fill(0, 0, 8192)
  bytes[16] = 1
}

interface Watched {
  readonly files: CapsuleFiles
  readonly openCount: () => number
}

/** Files that fail the test when they are asked for a path that is not of the one form, and count what is open. */
function watched(files: CapsuleFiles): Watched {
  let open = 0
  const proxy = new Proxy(files, {
    get: (target, key) => {
      const method = Reflect.get(target, key) as unknown
      if (typeof method !== 'function') return method
      return async (...values: unknown[]): Promise<unknown> => {
        checkFilePath(values[0] as string)
        if (key === 'rename') checkFilePath(values[1] as string)
        const result = (await (method as (...all: unknown[]) => Promise<unknown>).apply(
          target,
          values
        )) as object
        if (key !== 'open') return result
        open++
        return new Proxy(result, {
          get: (handle, name) => {
            const call = Reflect.get(handle, name) as ((...all: unknown[]) => unknown) | undefined
            if (call === undefined) return undefined
            return (...all: unknown[]): unknown => {
              if (name === 'close') open--
              return call.apply(handle, all)
            }
          }
        })
      }
    }
  })
  return { files: proxy, openCount: () => open }
}

const valid = fc.constantFrom(
  encodeFileRequest({ operation: 'stat', isFollowing: false, path: 'a' }),
  encodeFileRequest({ operation: 'open', flags: 9, path: 'dir/a' }),
  encodeFileRequest({ operation: 'rename', from: 'a', path: 'dir/b' }),
  encodeFileRequest({ operation: 'write', handle: 1, offset: 5, bytes: Buffer.from('text') }),
  encodeFileRequest({ operation: 'read', handle: 1, offset: 0, length: 65_000 }),
  encodeFileRequest({ operation: 'truncate', handle: 1, size: 2 ** 40 }),
  encodeFileRequest({
    operation: 'setTimes',
    isFollowing: true,
    times: { accessedNs: 1n, modifiedNs: 'now' },
    path: 'a'
  }),
  encodeFileRequest({ operation: 'list', from: 0, path: '' })
)
const mutation = fc.record({ at: fc.nat(40), remove: fc.nat(3), insert: fc.uint8Array({ maxLength: 3 }) })

/** What a process that broke out of its engine may ask. */
export const fuzzedQuestions: fc.Arbitrary<Uint8Array[]> = fc.array(
  fc.oneof(
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }) },
    { weight: 2, arbitrary: valid },
    {
      weight: 4,
      arbitrary: fc
        .tuple(valid, fc.array(mutation, { maxLength: 3 }))
        .map(([bytes, all]) => all.reduce(mutate, bytes))
    }
  ),
  { minLength: 1, maxLength: 40 }
)

function mutate(bytes: Uint8Array, m: { at: number; remove: number; insert: Uint8Array }): Uint8Array {
  return Buffer.concat([bytes.subarray(0, m.at), m.insert, bytes.subarray(m.at + m.remove)])
}

/** Asks them: each is answered in one frame or ends the capsule, and no path gets through that is not of the one form. */
export async function askFuzzedQuestions(questions: readonly Uint8Array[]): Promise<void> {
  const base = createMemoryFiles({
    clock: { nowMs: () => 1_700_000_000_000 },
    bytesMax: 1 << 20,
    hasLinks: true
  })
  await base.makeFolder('dir')
  const files = watched(base)
  let answers = 0
  const service = serveFiles(files.files, { openFilesMax: 4 })({
    send: (answer) => {
      answers++
      assert(answer.byteLength > 0 && answer.byteLength <= 65_536)
    },
    fail: (error) => {
      throw error
    }
  })
  let asked = 0
  for (const question of questions) {
    try {
      await service.push(question)
      asked++
    } catch (thrown) {
      assert(thrown instanceof CapsuleError && thrown.code === 'ERR_CAPSULE_CRASHED', String(thrown))
    }
  }
  assert.equal(answers, asked)
  assert(files.openCount() <= 4)
  await service.close()
  assert.equal(files.openCount(), 0, 'a file was left open')
}
