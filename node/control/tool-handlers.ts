import { CapsuleError, createToolServer, type ToolServer } from '#capsule-host'
import type { ControlResult, ToolServerParams } from '#contracts'
import { runAttached } from '../capsule-run.ts'
import type { VerifiedPackage } from '../capsules.ts'
import { createCapsuleVerifier, type CapsuleHandlerParts } from './capsule-handlers.ts'
import { writeOutput } from './run-output.ts'
import type { HandlersOf } from './handlers.ts'
import { createWatcher } from './question-handlers.ts'
import type { CallContext } from './server.ts'

/** How long a tool server may take to end by itself when its input has ended. */
const END_MS_MAX = 1000

/**
 * Tool servers in capsules for commands. Each call starts its server anew and ends it: what it keeps, it keeps where it
 * was allowed to.
 */
export function createToolHandlers(parts: CapsuleHandlerParts): HandlersOf<'capsule.tools' | 'capsule.call'> {
  const verify = createCapsuleVerifier(parts)
  const withServer = async <T>(
    { target, dev = false, canAsk = false, deadlineMs }: ToolServerParams,
    context: CallContext,
    use: (server: ToolServer, capsule: VerifiedPackage) => Promise<T>
  ): Promise<T> => {
    const capsule = await verify(target, context, { deadlineMs, isDevelopment: dev })
    if (capsule.opened.manifest.interface !== 'mcp') {
      throw new CapsuleError(
        'ERR_MCP_INTERFACE',
        `expected "interface": "mcp" in the manifest of ${capsule.status.name}, got none`
      )
    }
    const { desk } = parts.questions
    using _watching = desk.watch(
      capsule.lineage,
      createWatcher(parts.questions, { emit: context.emit, canAsk })
    )
    return await useServer(parts, { capsule, context }, async (server) => await use(server, capsule))
  }
  return {
    'capsule.tools': async (params, context) =>
      await withServer(params, context, async (server, { status }) => ({
        capsule: status,
        tools: [...(await server.listTools(context))] as ControlResult<'capsule.tools'>['tools']
      })),
    'capsule.call': async ({ tool, arguments: given, ...params }, context) =>
      await withServer(params, context, async (server, { status }) => {
        const answer = await server.callTool({ name: tool, arguments: given }, context)
        return { capsule: status, ...answer } as ControlResult<'capsule.call'>
      })
  }
}

/** Runs the capsule with its standard streams in the hands of a {@link ToolServer} for as long as `use` takes. */
async function useServer<T>(
  { capsules, installed, clock }: CapsuleHandlerParts,
  { capsule, context }: { capsule: VerifiedPackage; context: CallContext },
  use: (server: ToolServer) => Promise<T>
): Promise<T> {
  const server = createToolServer({ clock })
  const stop = new AbortController()
  const running = runAttached({ capsules, installed }, capsule, {
    args: [],
    ...{ stdin: server.stdin, stdout: server.stdout },
    stderr: { write: async (bytes) => await writeOutput(context, 'stderr', bytes) },
    signal: AbortSignal.any([context.signal, stop.signal])
  }).then(
    (exitCode) => {
      server.close(
        new CapsuleError(
          'ERR_MCP_PROTOCOL',
          `expected the tool server to answer, it ended with code ${exitCode}`
        )
      )
    },
    (thrown: unknown) => server.close(thrown instanceof Error ? thrown : new Error(String(thrown)))
  )
  try {
    return await use(server)
  } finally {
    server.close(new CapsuleError('ERR_CAPSULE_STOPPED', 'the tool server was closed'))
    using _grace = clock.after(END_MS_MAX, () => stop.abort())
    await running
  }
}
