import type { ControlParams, ControlResult } from '#contracts'
import { capsuleTarget } from './capsule-target.ts'
import { createCapsuleView } from './capsule-view.ts'
import type { CliContext, CommandInput } from './context.ts'
import { requiredArgument, secondsOption, switchOption } from './input.ts'
import { createInputRouter } from './input-router.ts'
import { createProgressLine } from './output.ts'

type ToolMethod = 'capsule.tools' | 'capsule.call'
type ToolServerKey = 'target' | 'dev' | 'canAsk' | 'deadlineMs'

/** A connection over which a tool server is used. */
export interface ToolCall extends AsyncDisposable {
  send<M extends ToolMethod>(
    method: M,
    params: Omit<ControlParams<M>, ToolServerKey>
  ): Promise<ControlResult<M>>
}

/** Connects for the tool server that the command names; what it may do is asked as it is for any capsule. */
export async function openToolCall(input: CommandInput, context: CliContext): Promise<ToolCall> {
  const deadlineMs = secondsOption(input, 'deadline')
  const server = {
    target: capsuleTarget(requiredArgument(input, 'target'), context),
    dev: switchOption(input, 'dev'),
    canAsk: context.stdinIsTerminal && context.stderr.isTerminal && !context.json,
    ...(deadlineMs === undefined ? {} : { deadlineMs })
  }
  const client = await context.connect()
  const line = createProgressLine(context.stderr, () => context.clock.monotonicMs())
  const router = createInputRouter(() => context.stdin)
  const onEvent = createCapsuleView({ context, client, router, line, isRaw: false })
  return {
    send: async (method, params) => {
      const whole = { ...server, ...params } as ControlParams<typeof method>
      const result = await client.open(method, whole, { signal: context.signal, onEvent }).result
      await line.end()
      return result
    },
    [Symbol.asyncDispose]: async () => await client[Symbol.asyncDispose]()
  }
}
