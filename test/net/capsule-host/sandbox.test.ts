import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { fileURLToPath } from 'node:url'
import { systemClock } from '#contracts'
import { DEFAULT_CAPSULE_LIMITS, probeSandbox, systemPowers, type SandboxLayout } from '#capsule-host'
import { sandboxArguments } from '../../../capsule-host/sandbox/command.ts'
import { guestScript } from '../../../capsule-host/sandbox/layout.ts'
import { seccompFilter } from '../../../capsule-host/sandbox/seccomp.ts'
import { needs } from '../../support/requirements.ts'

const GUEST_ENTRY = fileURLToPath(new URL('../../../capsule-host/guest/main.ts', import.meta.url))
const ESCAPE = fileURLToPath(new URL('./escape-attempts.ts', import.meta.url))

interface Attempt {
  readonly did?: unknown
  readonly refused?: string
}

interface EscapeReport extends Readonly<Record<string, unknown>> {
  readonly root: Attempt
  readonly environment: readonly string[]
  readonly identity: readonly number[]
}

async function readAll(source: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const chunk of source) parts.push(chunk)
  return Buffer.concat(parts).toString()
}

/** Runs the escape script in the sandbox, without Node's own permissions: the operating system alone must hold it. */
async function tryToEscape(layout: SandboxLayout, facts: object): Promise<EscapeReport> {
  const limits = DEFAULT_CAPSULE_LIMITS
  const isBelt = (argument: string): boolean =>
    argument === '--permission' ||
    argument.startsWith('--allow-') ||
    argument === '--disallow-code-generation-from-strings'
  const process = systemPowers.spawn({
    command: layout.bubblewrap,
    args: sandboxArguments({ ...layout, guest: guestScript(ESCAPE) }, limits).filter(
      (argument) => !isBelt(argument)
    ),
    identity: layout.identity,
    descriptor3: seccompFilter(layout.arch),
    hasStatus: true
  })
  process.write(Buffer.from(JSON.stringify(facts)))
  process.closeInput()
  const [stdout, stderr] = await Promise.all([
    readAll(process.stdout),
    readAll(process.stderr),
    readAll(process.status)
  ])
  const end = await process.ended
  process.closeOutput()
  assert.equal(end.code, 0, stderr)
  return JSON.parse(stdout) as EscapeReport
}

describe('a process that broke out of its engine', () => {
  let report: EscapeReport
  let server: Server

  before(async function () {
    await needs(this, 'bubblewrap', 'prlimit')
    const sandbox = await probeSandbox(
      { powers: systemPowers, clock: systemClock },
      { guestEntry: GUEST_ENTRY }
    )
    server = createServer((socket) => socket.end()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    report = await tryToEscape(sandbox.layout!, {
      hostPort: (server.address() as AddressInfo).port,
      hostPid: process.pid,
      hostFile: fileURLToPath(import.meta.url)
    })
  })

  after(async () => {
    if (server === undefined) return
    server.close()
    await once(server, 'close')
  })

  it('finds a root folder with Node, its libraries and the guest, and nothing else', () => {
    const names = report.root.did as string[]
    assert(names.includes('elastos'))
    for (const name of names) assert(['elastos', 'lib', 'lib64', 'usr', 'nix'].includes(name), name)
  })

  for (const [what, key] of [
    ['people', 'home'],
    ['accounts', 'passwords'],
    ['processes', 'processes'],
    ['devices', 'devices'],
    ['files of this machine', 'hostFile']
  ] as const) {
    it(`sees no ${what}`, () => assert.equal((report[key] as Attempt).refused, 'ENOENT'))
  }

  it('writes nowhere', () => {
    for (const key of ['writeRoot', 'writeTemporary', 'writeGuest']) {
      assert.match((report[key] as Attempt).refused ?? 'it wrote', /^(EROFS|ENOENT|EACCES)$/, key)
    }
  })

  it('reaches no network, not even the loopback of this machine', () => {
    assert.equal((report['network'] as Attempt).refused, 'EPERM')
  })

  it('starts no program', () => {
    assert.equal((report['program'] as Attempt).refused, 'EPERM')
  })

  it('sees no process of this machine, and ends none', () => {
    assert.equal((report['killHost'] as Attempt).refused, 'ESRCH')
  })

  it('is nobody, with nothing of an environment', () => {
    assert.deepEqual(report.identity, [65_534, 65_534])
    assert.deepEqual(
      report.environment.filter((name) => name !== 'PWD'),
      ['MALLOC_MMAP_THRESHOLD_']
    )
  })
})
