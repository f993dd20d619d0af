import { randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'

/** Writes a file of that size that no compression or sharing of blocks makes smaller; it is on the disk then. */
export async function writeRandomFile(path: string, bytes: number): Promise<void> {
  await using file = await open(path, 'wx')
  const chunk = randomBytes(1024 * 1024)
  for (let at = 0; at < bytes; at += chunk.length) {
    chunk.writeDoubleLE(at)
    await file.write(chunk.subarray(0, Math.min(chunk.length, bytes - at)))
  }
  await file.sync()
}
