import { createHash } from 'node:crypto'
import { join } from 'node:path'

/** What the paths of a node depend on, read from the operating system by the caller. */
export interface PathFacts {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly platform: string
  readonly homeFolder: string
  readonly temporaryFolder: string
  readonly userId: number
}

/** `sun_path` of a Unix socket address: 104 bytes on macOS and 108 on Linux, with the closing zero. */
const SOCKET_PATH_BYTES_MAX = 103

/**
 * The folder a node keeps everything in, by the platform's convention: `$XDG_DATA_HOME/elastos`, else
 * `~/.local/share/elastos` (XDG Base Directory Specification), on macOS `~/Library/Application Support/elastos`.
 */
export function defaultDataFolder({ environment, platform, homeFolder }: PathFacts): string {
  const xdg = environment['XDG_DATA_HOME']
  if (xdg !== undefined && xdg.startsWith('/')) return join(xdg, 'elastos')
  if (platform === 'darwin') return join(homeFolder, 'Library', 'Application Support', 'elastos')
  return join(homeFolder, '.local', 'share', 'elastos')
}

/**
 * Where a node listens for commands: inside its data folder, or, when that path is too long for a Unix socket,
 * in a folder of the user's own (`$XDG_RUNTIME_DIR`, else the temporary folder) under a hash of the data folder.
 */
export function controlSocketPath(dataFolder: string, facts: PathFacts): string {
  const direct = join(dataFolder, 'control.sock')
  if (Buffer.byteLength(direct) <= SOCKET_PATH_BYTES_MAX) return direct
  const runtime = facts.environment['XDG_RUNTIME_DIR']
  const folder =
    runtime !== undefined && runtime.startsWith('/') && runtime.length < 60
      ? join(runtime, 'elastos')
      : join(facts.temporaryFolder, `elastos-${facts.userId}`)
  const name = createHash('sha256').update(dataFolder).digest('hex').slice(0, 24)
  return join(folder, `${name}.sock`)
}
