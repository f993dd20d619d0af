import { fileURLToPath } from 'node:url'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import {
  startProviderDirectory,
  systemPowers,
  type Authority,
  type CapsuleManifest,
  type HostPower,
  type Provider,
  type ProviderRequest
} from '#capsule-host'
import { createKeyPair } from '#did'
import type { GrantAnswer, GrantQuestion } from '#providers'
import { createCapsuleRuntime, type CapsuleRuntime } from '../../node/capsule-runtime.ts'
import type { VerifiedPackage } from '../../node/capsules.ts'
import { compileScript } from './script-capsule.ts'
import { createTemporaryFolder } from './temporary-folder.ts'

const GUEST_ENTRY = fileURLToPath(new URL('../../capsule-host/guest/main.ts', import.meta.url))

/** How an attack ended, and what it said. */
export interface Attack {
  readonly code: string | number
  /** Lines of standard output. */
  readonly lines: readonly string[]
}

/** A run of a hostile capsule. */
export interface Attacker {
  readonly done: Promise<Attack>
  /** The lines so far. */
  readonly lines: readonly string[]
  /** Types a line. */
  type(line: string): void
  /** Resolves with the first line that begins so. */
  line(beginning: string): Promise<string>
}

/** The whole of a node that is between capsules and everything else, with a provider that writes down what reaches it. */
export interface RedTeamLab extends AsyncDisposable {
  readonly runtime: CapsuleRuntime
  readonly authority: Authority
  /** What reached the provider of `localhost@1`. */
  readonly served: ProviderRequest[]
  readonly questions: GrantQuestion[]
  /** What the shell answers: yes for the session, unless a test says otherwise. */
  answer: (question: GrantQuestion) => GrantAnswer
  /** Runs a script as the capsule `name`. */
  attack(name: string, script: string, init?: Partial<CapsuleManifest>): Promise<Attacker>
}

/** Files it may ask for, and no more. */
const CEILING: CapsuleManifest['capabilities'] = [
  { command: 'localhost/read', resource: 'localhost://notes/*', reason: 'to read your notes' },
  { command: 'localhost/list', resource: 'localhost://notes/*', reason: 'to list your notes' }
]

/** Opens a lab in a folder that is gone afterwards. */
export async function openRedTeamLab(): Promise<RedTeamLab> {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await createTemporaryFolder())
  const served: ProviderRequest[] = []
  const questions: GrantQuestion[] = []
  const provider: Provider = {
    call: async (request) => {
      served.push(request)
      return await Promise.resolve({ data: btoa('the notes'), isEnd: true })
    },
    open: () => {
      throw new Error('expected no stream')
    }
  }
  const lab: Pick<RedTeamLab, 'answer'> = {
    answer: () => ({ isAllowed: true, scope: 'session', decidedBy: 'person' })
  }
  const runtime = stack.use(
    createCapsuleRuntime({
      keystore: { device: createKeyPair(systemRandom) },
      paths: { authority: `${folder.path}/authority`, vault: `${folder.path}/vault` },
      ...{ clock: systemClock, random: systemRandom, logger: silentLogger, powers: systemPowers },
      guestEntry: GUEST_ENTRY,
      hostPowers: new Map<string, HostPower>(),
      shell: {
        decide: async (question) => {
          questions.push(question)
          return await Promise.resolve(lab.answer(question))
        }
      },
      givenPowers: () => [],
      createDirectory: () =>
        startProviderDirectory({
          ...{ clock: systemClock, logger: silentLogger },
          choices: {
            chosen: () => undefined,
            pinned: () => undefined,
            pin: async () => await Promise.resolve()
          },
          source: {
            resolve: async () => await Promise.resolve(undefined),
            start: () => Promise.reject(new Error('expected no provider capsule')),
            native: (contract) => (contract === 'localhost@1' ? provider : undefined)
          }
        })
    })
  )
  const authority = await runtime.authority()
  const running = stack.move()
  const over = new AbortController()
  const attacks: Promise<Attack>[] = []
  return Object.assign(lab, {
    ...{ runtime, authority, served, questions },
    attack: async (name: string, script: string, init: Partial<CapsuleManifest> = {}) => {
      const attacker = await startAttack(runtime, await packageOf(name, script, init), over.signal)
      attacks.push(attacker.done)
      return attacker
    },
    [Symbol.asyncDispose]: async () => {
      // Some wait for a line for as long as they may.
      over.abort()
      await Promise.all(attacks)
      await running.disposeAsync()
    }
  })
}

async function packageOf(
  name: string,
  script: string,
  init: Partial<CapsuleManifest>
): Promise<VerifiedPackage> {
  const entry = await compileScript(script)
  const manifest: CapsuleManifest = {
    ...{ manifest: 2, name, version: '1.0.0', substrate: 'wasm', entry: 'a.wasm', interface: 'stdio' },
    ...{ capabilities: CEILING, requires: [{ contract: 'localhost@1' }], provides: [], powers: [] },
    ...{ files: false, optimize: false, limits: {} },
    ...init
  }
  const publisher = 'did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH'
  const status = { cid: '', root: '', publisher, name, version: '1.0.0', files: 1, bytes: entry.byteLength }
  return {
    status: { ...status, isSigned: true },
    lineage: `${publisher}/${name}`,
    opened: { manifest, entry, files: 1, bytes: entry.byteLength },
    isOwn: true
  }
}

async function startAttack(
  runtime: CapsuleRuntime,
  capsule: VerifiedPackage,
  signal: AbortSignal
): Promise<Attacker> {
  let text = ''
  let wake = Promise.withResolvers<undefined>()
  const lines = (): string[] => text.split('\n').slice(0, -1)
  const write = (bytes: Uint8Array): void => {
    text += Buffer.from(bytes).toString()
    wake.resolve(undefined)
    wake = Promise.withResolvers()
  }
  const typed = new TransformStream<Uint8Array, Uint8Array>(undefined, undefined, { highWaterMark: 16 })
  const keyboard = typed.writable.getWriter()
  const { process } = await runtime.start(capsule, {
    args: [],
    stdin: typed.readable,
    stdout: { write },
    stderr: { write },
    signal
  })
  const done = process.finished.then((outcome): Attack => {
    wake.resolve(undefined)
    return { code: outcome.kind === 'exit' ? outcome.exitCode : outcome.error.code, lines: lines() }
  })
  return {
    done,
    get lines() {
      return lines()
    },
    type: (line) => void keyboard.write(Buffer.from(`${line}\n`)).catch(() => undefined),
    line: async (beginning) => {
      let isOver = false
      void done.then(() => (isOver = true))
      for (;;) {
        const found = lines().find((line) => line.startsWith(beginning))
        if (found !== undefined) return found
        if (isOver) throw new Error(`expected a line that begins with ${beginning}, got:\n${text}`)
        await Promise.race([wake.promise, done])
      }
    }
  }
}
