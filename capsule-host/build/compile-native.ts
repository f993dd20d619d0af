import { dirname } from 'node:path'
import { CapsuleError } from '../errors.ts'
import type { HostPowers } from '../powers.ts'
import type { Compiler } from './compile-entry.ts'
import { compilerEnvironment } from './powers.ts'

/** Where the WASI SDK unpacks to by its own instructions; its clang knows its library. */
const WASI_SDK_CLANG = '/opt/wasi-sdk/bin/clang'
/** Names of clang, the usual one first; Debian's have their version. */
const CLANG_NAMES = ['clang', ...Array.from({ length: 9 }, (_, index) => `clang-${22 - index}`)]

/** C with a clang that has a WASI library: that of the WASI SDK, or Debian's with `wasi-libc`. */
export const cCompiler: Compiler = async (powers, { source, output }) => ({
  command: await findProgram(powers, {
    language: 'C',
    names: CLANG_NAMES,
    paths: [WASI_SDK_CLANG],
    mend: 'install the WASI SDK in /opt/wasi-sdk, or: apt install clang lld wasi-libc libclang-rt-dev-wasm32'
  }),
  args: ['--target=wasm32-wasi', '-O2', '-Wl,--strip-all', '-o', output, source],
  environment: compilerEnvironment()
})

/** Rust, one crate without dependencies. */
export const rustCompiler: Compiler = async (powers, { source, output }) => ({
  command: await findProgram(powers, {
    language: 'Rust',
    names: ['rustc'],
    mend: 'install Rust (https://rustup.rs), then: rustup target add wasm32-wasip1'
  }),
  args: [
    ...['--edition', '2021', '--target', 'wasm32-wasip1', '-O'],
    ...['-C', 'strip=symbols', '-C', 'panic=abort'],
    // Paths of this machine are no part of the module.
    ...['--remap-path-prefix', `${dirname(output)}=.`],
    ...['-o', output, source]
  ],
  environment: compilerEnvironment()
})

/** Go 1.21 or later: the package that the source is in. */
export const goCompiler: Compiler = async (powers, { source, output }) => ({
  command: await findProgram(powers, {
    language: 'Go',
    names: ['go'],
    paths: ['/usr/local/go/bin/go'],
    mend: 'install Go 1.21 or later (https://go.dev/dl)'
  }),
  args: [
    'build',
    '-trimpath',
    '-buildvcs=false',
    '-ldflags=-s -w -buildid=',
    '-o',
    output,
    `./${dirname(source)}`
  ],
  environment: {
    ...compilerEnvironment(),
    ...{ GOOS: 'wasip1', GOARCH: 'wasm', CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOFLAGS: '' }
  }
})

async function findProgram(
  powers: Pick<HostPowers, 'findProgram' | 'fileBytes'>,
  wanted: { language: string; names: readonly string[]; paths?: readonly string[]; mend: string }
): Promise<string> {
  for (const path of wanted.paths ?? []) if ((await powers.fileBytes(path)) !== undefined) return path
  for (const name of wanted.names) {
    const found = await powers.findProgram(name)
    if (found !== undefined) return found
  }
  throw new CapsuleError('ERR_CAPSULE_COMPILER', `expected a compiler for ${wanted.language}, found none`, {
    detail: [wanted.mend]
  })
}
