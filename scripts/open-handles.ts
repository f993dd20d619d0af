import { ChildProcess } from 'node:child_process'
import { Server, Socket } from 'node:net'

/** Remembers after which suite an open handle was first seen, so that a leak is found without running it again. */
export interface HandleWatch {
  /** Call it when a suite ended: what is open and was not before is put down to `suite`. */
  look(suite: string): void
  /** A line for each handle that is open now: what it is, and the suite after which it was first seen. */
  open(): readonly string[]
}

/** Watches sockets, servers and child processes of this process; timers have no handle of their own. */
export function createHandleWatch(): HandleWatch {
  const seenAfter = new WeakMap<object, string>()
  for (const handle of activeHandles()) seenAfter.set(handle, 'nothing: it was there before the tests')
  return {
    look: (suite) => {
      for (const handle of activeHandles()) if (!seenAfter.has(handle)) seenAfter.set(handle, suite)
    },
    open: () =>
      activeHandles().map(
        (handle) => `${describe(handle)}, open after: ${seenAfter.get(handle) ?? 'the end'}`
      )
  }
}

/** Node documents the kinds of what keeps it alive only; the handles themselves are under this older name. */
function activeHandles(): object[] {
  const { _getActiveHandles } = process as unknown as { _getActiveHandles?: () => object[] }
  return _getActiveHandles?.call(process) ?? []
}

function describe(handle: object): string {
  if (handle instanceof ChildProcess)
    return `process ${String(handle.pid)} (${handle.spawnargs.join(' ').slice(0, 200)})`
  if (handle instanceof Server) return `server ${JSON.stringify(handle.address())}`
  if (!(handle instanceof Socket)) return handle.constructor.name
  const { localAddress, localPort, remoteAddress, remotePort } = handle
  if (localPort === undefined) return 'pipe or terminal'
  return `socket ${String(localAddress)}:${String(localPort)} to ${String(remoteAddress)}:${String(remotePort)}`
}
