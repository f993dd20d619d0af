import { readFile } from 'node:fs/promises'
import { bundleGuest } from '../bundle-script.ts'

/** The text of the guest script at `entry`: as it lies beside the bundle, else bundled from its sources. */
export async function readGuestScript(entry: string): Promise<string> {
  return entry.endsWith('.ts') ? await bundleGuest(entry) : await readFile(entry, 'utf8')
}
