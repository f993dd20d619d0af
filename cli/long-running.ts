import type { NodeInit, SeedInit } from '#node'
import type { NodeStatus } from '#contracts'
import { describeStatus, SHELL_AUTO_NOTICE } from './commands/node-status.ts'
import type { CliContext } from './context.ts'
import { CliError } from './errors.ts'
import { jsonLine, printNotice, safeText } from './output.ts'

/** Starts a node in this process, says what it is, and returns when it was told to stop and has stopped. */
export async function runUntilStopped(
  context: CliContext,
  init: NodeInit & { seed?: SeedInit }
): Promise<void> {
  context.restrictNewFiles()
  const { startNode } = await import('#node')
  await using node = await startNode(init)
  const status = node.status()
  await announce(context, status)
  await node.stopped(context.signal)
  if (!context.json) await printNotice(context, 'stopping')
  await node[Symbol.asyncDispose]()
  if (context.json) await context.stdout.write(jsonLine({ event: 'stopped' }))
}

/** Starts a node as a process of its own and says what it is, once it listens. */
export async function startDetachedAndReport(context: CliContext, flags: readonly string[]): Promise<void> {
  const running = await context.connectIfRunning()
  if (running !== undefined) {
    await running[Symbol.asyncDispose]()
    throw new CliError('ERR_NODE_ALREADY_RUNNING', `a node already runs on ${context.dataFolder}`)
  }
  await context.startDetached(flags)
  await using client = await context.connectIfRunning()
  if (client === undefined)
    throw new CliError('ERR_NODE_START_FAILED', 'the node ended right after its start')
  await announce(context, await client.call('node.status', {}))
}

async function announce(context: CliContext, status: NodeStatus): Promise<void> {
  if (context.json) {
    await context.stdout.write(jsonLine({ event: 'listening', ...status }))
    return
  }
  await context.stdout.write(describeStatus(status).map(safeText).join('\n') + '\n')
  if (status.portFallback !== undefined) {
    const { wanted } = status.portFallback
    await printNotice(
      context,
      `port ${wanted} is taken, so this node took a free one; --listen chooses another`
    )
  }
  await printNotice(context, reachNotice(status))
  if (status.shell === 'auto') await printNotice(context, `WARNING: shell ${SHELL_AUTO_NOTICE}`)
  if (status.wordsPending) {
    await printNotice(
      context,
      "your identity lives on this device only: 'elastos id words' shows the words that bring it back"
    )
  }
  if (status.role === 'peer') {
    await printNotice(
      context,
      "try next: 'elastos chat garden --nick YOU', 'elastos add FILE', 'elastos capsule new hello'"
    )
  }
}

function reachNotice({ reach }: NodeStatus): string {
  switch (reach) {
    case 'local':
      return 'reach local: only programs on this device can connect; --reach lan or --reach public changes that'
    case 'lan':
      return 'reach lan: devices of your local networks can connect; --reach local or --reach public changes that'
    case 'public':
      return 'reach public: anyone on the internet can connect and see your address; --reach local or lan changes that'
  }
}
