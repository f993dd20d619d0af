import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createCliHome, type CliHome } from '../test/support/cli.ts'
import { startProcess, type RunningProcess } from '../test/support/process.ts'
import type { Benchmark, Measure } from './harness.ts'
import { VARIANT_ENVIRONMENT, type Variant } from './node-process.ts'

/** Nodes that are there and in no room. */
const CROWD = 30
const READY_TIMEOUT_MS = 120_000
const MESSAGE_TIMEOUT_MS = 60_000

/**
 * Two people with new data folders who know a seed's address and a room's name, `elastos chat` both: from the two
 * commands, which start a node each, to the first text that one hears from the other. The network has 30 other nodes.
 */
export const benchmarks: readonly Benchmark[] = [
  {
    name: 'chat',
    unit: 'ms',
    better: 'lower',
    baselineName: 'the unbundled sources',
    runs: 20,
    target: { oursMax: 1_500 },
    open: async () => {
      await using stack = new AsyncDisposableStack()
      const home = stack.use(await createCliHome())
      const bootstrap = await startSeed(home, stack)
      await startCrowd(home, bootstrap, stack)
      const opened = stack.move()
      return {
        ours: meeting({ home, bootstrap, variant: 'bundle' }),
        baseline: meeting({ home, bootstrap, variant: 'sources' }),
        [Symbol.asyncDispose]: () => opened.disposeAsync()
      }
    }
  }
]

/** A seed for the nodes of a benchmark; resolves with where its bootstrap record is. */
export async function startSeed(home: CliHome, stack: AsyncDisposableStack): Promise<string> {
  const ports = ['--listen', '/ip4/127.0.0.1/tcp/0', '--http', '127.0.0.1:0', '--metrics-port', '0']
  const seed = stack.use(
    await home.start(['seed', 'start', '--dev', '--json', '--data', join(home.folder, 'seed'), ...ports])
  )
  const { bootstrapUrl } = await seed.event('listening', { timeoutMs: READY_TIMEOUT_MS })
  return String(bootstrapUrl)
}

async function startCrowd(home: CliHome, bootstrap: string, stack: AsyncDisposableStack): Promise<void> {
  const args = [join(import.meta.dirname, 'chat-crowd.ts'), home.folder, String(CROWD), bootstrap]
  const crowd = stack.use(await startProcess({ command: process.execPath, args, env: home.env }))
  await crowd.event('ready', { timeoutMs: READY_TIMEOUT_MS })
}

interface Meeting {
  readonly home: CliHome
  readonly bootstrap: string
  readonly variant: Variant
}

let rooms = 0

function meeting({ home, bootstrap, variant }: Meeting): Measure {
  return async () => {
    const room = `bench-${++rooms}`
    const folders = ['ada', 'bob'].map((nick) => ({ nick, data: join(home.folder, `${room}-${nick}`) }))
    const startedAt = performance.now()
    const chats = await Promise.all(
      folders.map(({ nick, data }) => {
        const flags = ['--json', '--nick', nick, '--data', data, '--bootstrap', bootstrap]
        return home.start(['chat', room, ...flags], { env: VARIANT_ENVIRONMENT[variant] })
      })
    )
    try {
      for (const chat of chats) chat.write('hello\n')
      await Promise.any(chats.map(heardSomebody))
      return performance.now() - startedAt
    } finally {
      await Promise.all(chats.map((chat) => chat.end()))
      await Promise.all(folders.map(({ data }) => home.run(['node', 'stop', '--data', data])))
      for (const { data } of folders) await rm(data, { recursive: true, force: true })
    }
  }
}

async function heardSomebody(chat: RunningProcess): Promise<void> {
  const isFromOther = (line: string): boolean => {
    if (!line.startsWith('{')) return false
    const { event, isSelf } = JSON.parse(line) as { event?: unknown; isSelf?: unknown }
    return event === 'message' && isSelf === false
  }
  await chat.stdout.line(isFromOther, { timeoutMs: MESSAGE_TIMEOUT_MS, context: () => chat.stderr.text() })
}
