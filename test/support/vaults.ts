import { silentLogger, type Clock } from '#contracts'
import type { VaultDisk } from '../../capsule-host/vault/disk.ts'
import { openVault, type Vault, type VaultRoot } from '../../capsule-host/vault/vault.ts'
import { createSeededRandom } from './seeded-random.ts'
import { createVirtualClock } from './virtual-clock.ts'

/** The lineage most tests of vaults use. */
export const LINEAGE = 'did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH/notes'
/** A secret of a device. */
export const SECRET: Uint8Array = new Uint8Array(32).fill(7)

let seed = 0

/** A vault over a disk, with randomness of its own. */
export function testVault(
  disk: VaultDisk,
  {
    secret = SECRET,
    clock = createVirtualClock(),
    folder = '/vault'
  }: { secret?: Uint8Array; clock?: Clock; folder?: string } = {}
): Vault {
  return openVault(
    { disk, clock, random: createSeededRandom(++seed), logger: silentLogger },
    { folder, secret }
  )
}

/** The root of {@link LINEAGE} in a vault that is opened for it. */
export async function testRoot(disk: VaultDisk, quotaBytes: number = 64 * 1024 * 1024): Promise<VaultRoot> {
  return await testVault(disk).root(LINEAGE, { quotaBytes })
}

/** Writes a file as one piece. */
export async function writeFile(root: VaultRoot, path: string, content: Uint8Array | string): Promise<void> {
  const handle = await root.open(path, { isCreating: true, isTruncating: true, isWriting: true })
  try {
    await handle.write(0, typeof content === 'string' ? Buffer.from(content) : content)
  } finally {
    await handle.close()
  }
}

/** Reads a file as one piece. */
export async function readFile(root: VaultRoot, path: string): Promise<Uint8Array> {
  const handle = await root.open(path, {})
  try {
    const { bytes } = await handle.stat()
    const pieces: Uint8Array[] = []
    for (let at = 0; at < bytes;) {
      const piece = await handle.read(at, bytes - at)
      if (piece.byteLength === 0) break
      pieces.push(piece)
      at += piece.byteLength
    }
    return Uint8Array.from(Buffer.concat(pieces))
  } finally {
    await handle.close()
  }
}

/** Everything below a root: folders as `null`, files as their bytes. */
export async function readTree(root: VaultRoot, path = ''): Promise<Map<string, string | null>> {
  const tree = new Map<string, string | null>()
  for (const { name, kind } of await root.list(path)) {
    const at = path === '' ? name : `${path}/${name}`
    if (kind === 'file') tree.set(at, Buffer.from(await readFile(root, at)).toString('latin1'))
    else {
      tree.set(at, null)
      for (const [below, content] of await readTree(root, at)) tree.set(below, content)
    }
  }
  return tree
}
