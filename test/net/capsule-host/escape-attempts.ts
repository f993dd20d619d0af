// Runs in place of the guest runner: tries what a capsule that broke out of its engine would try, and says how it went.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'

interface Facts {
  readonly hostPort: number
  readonly hostPid: number
  readonly hostFile: string
}

interface Attempt {
  readonly did?: unknown
  readonly refused?: unknown
}

function attempt(task: () => unknown): Attempt {
  try {
    return { did: task() }
  } catch (thrown) {
    return { refused: (thrown as NodeJS.ErrnoException).code }
  }
}

function dial(port: number): Promise<Attempt> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve({ did: 'connected' }))
    socket.once('error', (thrown: NodeJS.ErrnoException) => resolve({ refused: thrown.code }))
  })
}

const { hostPort, hostPid, hostFile } = JSON.parse(readFileSync(0, 'utf8')) as Facts
const report = {
  root: attempt(() => readdirSync('/')),
  home: attempt(() => readdirSync('/home')),
  passwords: attempt(() => readFileSync('/etc/passwd', 'utf8')),
  processes: attempt(() => readdirSync('/proc')),
  devices: attempt(() => readdirSync('/dev')),
  hostFile: attempt(() => readFileSync(hostFile, 'utf8')),
  writeRoot: attempt(() => writeFileSync('/x', 'x')),
  writeTemporary: attempt(() => writeFileSync('/tmp/x', 'x')),
  writeGuest: attempt(() => writeFileSync(new URL(import.meta.url), 'x')),
  network: await dial(hostPort),
  program: attempt(() => {
    const { error, status } = spawnSync(process.execPath, ['-e', '0'])
    if (error !== undefined) throw error
    return status
  }),
  killHost: attempt(() => process.kill(hostPid, 0)),
  environment: Object.keys(process.env),
  identity: [process.getuid?.(), process.getgid?.()]
}
process.stdout.write(JSON.stringify(report))
