import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { silentLogger, systemClock } from '#contracts'
import {
  compileTypeScript,
  DEFAULT_CAPSULE_LIMITS,
  probeSandbox,
  startCapsuleProcess,
  systemPowers,
  type CapsuleLimits,
  type CapsuleProcessInit,
  type SandboxReport
} from '#capsule-host'
import { createTemporaryFolder } from './temporary-folder.ts'

const GUEST_ENTRY = fileURLToPath(new URL('../../capsule-host/guest/main.ts', import.meta.url))
const components = { powers: systemPowers, clock: systemClock, logger: silentLogger }
const SDK_IMPORT = `import { capsule } from 'elastos/sdk'\n`

/** How a script's run ended and what it said. */
export interface ScriptRun {
  readonly code: string | number
  readonly output: string
  readonly errors: string
}

/** Options of {@link runScript}. */
export interface ScriptOptions extends Pick<CapsuleProcessInit, 'channel' | 'files' | 'args'> {
  readonly stdin?: AsyncIterable<Uint8Array> | readonly string[]
  readonly limits?: Partial<CapsuleLimits>
  readonly signal?: AbortSignal
  /** All of standard output so far, whenever there is more. */
  readonly onOutput?: (text: string) => void
  /** Each piece of standard output. */
  readonly onBytes?: (bytes: Uint8Array) => void
}

/** Compiles sources of a capsule, `main.ts` first of all, in a folder that is gone afterwards. */
export async function compileFiles(files: Readonly<Record<string, string>>): Promise<Uint8Array> {
  await using folder = await createTemporaryFolder()
  for (const [path, text] of Object.entries(files)) {
    const target = join(folder.path, path)
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, text)
  }
  return await compileTypeScript({ entry: join(folder.path, 'main.ts') })
}

/** Compiles one script; `capsule` is imported for it. */
export async function compileScript(text: string): Promise<Uint8Array> {
  return await compileFiles({ 'main.ts': SDK_IMPORT + text })
}

let sandbox: Promise<SandboxReport> | undefined

/** Runs a compiled capsule in a process of its own, in whatever sandbox this machine has. */
export async function runModule(module: Uint8Array, options: ScriptOptions = {}): Promise<ScriptRun> {
  sandbox ??= probeSandbox(components, { guestEntry: GUEST_ENTRY })
  const output: Uint8Array[] = []
  const errors: Uint8Array[] = []
  const { channel, files, args } = options
  await using running = startCapsuleProcess(
    { ...components, sandbox: await sandbox },
    {
      ...{ name: 'script', module, args: args ?? [], isOwn: true },
      ...(channel === undefined ? {} : { channel }),
      ...(files === undefined ? {} : { files }),
      limits: { ...DEFAULT_CAPSULE_LIMITS, ...options.limits },
      stdin: chunksOf(options.stdin ?? []),
      stdout: {
        write: (bytes) => {
          output.push(bytes)
          options.onBytes?.(bytes)
          options.onOutput?.(Buffer.concat(output).toString())
        }
      },
      stderr: { write: (bytes) => void errors.push(bytes) },
      signal: options.signal ?? new AbortController().signal
    }
  )
  const outcome = await running.finished
  return {
    code: outcome.kind === 'exit' ? outcome.exitCode : outcome.error.code,
    output: Buffer.concat(output).toString(),
    errors: Buffer.concat(errors).toString()
  }
}

/** Compiles and runs one script. */
export async function runScript(text: string, options: ScriptOptions = {}): Promise<ScriptRun> {
  return await runModule(await compileScript(text), options)
}

async function* chunksOf(
  chunks: AsyncIterable<Uint8Array> | readonly string[]
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) yield Buffer.from(chunk)
}
