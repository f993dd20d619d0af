import * as z from 'zod'
import { BOOTSTRAP_VALUE_CHARS_MAX, BOOTSTRAP_VALUES_MAX } from '#bootstrap'
import type { ControlReach } from '#contracts'
import { NodeError } from './errors.ts'
import type { TextFiles } from './text-files.ts'

/** Characters of a CID or a did. */
const GUEST_CHOICE_CHARS_MAX = 256

const config = z.strictObject({
  version: z.literal(1),
  reach: z.enum(['local', 'lan', 'public']).optional(),
  discover: z.enum(['ipfs', 'off']).optional(),
  bootstrap: z.array(z.string().max(BOOTSTRAP_VALUE_CHARS_MAX)).max(BOOTSTRAP_VALUES_MAX).optional(),
  hasChatted: z.boolean().optional(),
  port: z.int().min(1).max(65_535).optional(),
  uploadMax: z.int().min(0).optional(),
  downloadMax: z.int().min(0).optional(),
  guest: z.string().max(GUEST_CHOICE_CHARS_MAX).optional()
})

/** What a node remembers of the choices its owner made, so that a command that starts one makes the same. */
export interface NodeConfig {
  readonly reach?: ControlReach | undefined
  readonly discover?: 'ipfs' | 'off' | undefined
  readonly bootstrap?: readonly string[] | undefined
  /** Whether a room was ever used here. */
  readonly hasChatted?: boolean | undefined
  /** The port it listened on: others remember it, so it is taken again when it is free. */
  readonly port?: number | undefined
  /** Bytes of content a second that may be sent at most; 0 for no cap. */
  readonly uploadMax?: number | undefined
  /** Bytes of content a second that may be received at most; 0 for no cap. */
  readonly downloadMax?: number | undefined
  /** The guest of microVMs by its CID, or who publishes it by their did; what lies in its folder when absent. */
  readonly guest?: string | undefined
}

const CONFIG_BYTES_MAX = 64 * 1024

/** Reads the remembered choices; none when there is no file. @throws NodeError ERR_CONFIG_INVALID */
export async function readConfig(files: TextFiles, path: string): Promise<NodeConfig> {
  const text = await files.read(path, CONFIG_BYTES_MAX)
  if (text === undefined) return {}
  try {
    const { version: _version, ...choices } = config.parse(JSON.parse(text))
    return choices
  } catch (cause) {
    throw new NodeError(
      'ERR_CONFIG_INVALID',
      `expected the configuration of this program in ${path}: mend it or move it away`,
      { cause }
    )
  }
}

/** Remembers choices, replacing the file in one step. */
export async function writeConfig(files: TextFiles, path: string, choices: NodeConfig): Promise<void> {
  await files.replace(path, JSON.stringify({ version: 1, ...choices }, undefined, 2) + '\n')
}
