import { join } from 'node:path'
import { silentLogger, systemRandom } from '#contracts'
import { createKeyPair, signDeviceList, systemPrivateFiles } from '#did'
import { openRevocations, readList, type Revocations } from '../../../node/devices/revocations.ts'
import { createTextFiles } from '../../../node/text-files.ts'

/** Opens the revocations of a folder as a node does, for somebody to whom everybody is a contact. */
export async function openRevocationsIn(folder: string): Promise<Revocations> {
  const owner = createKeyPair(systemRandom)
  return await openRevocations(
    { files: createTextFiles(systemPrivateFiles, systemRandom), logger: silentLogger },
    { path: join(folder, 'devices.json'), person: owner.did, isContact: () => true }
  )
}

/** How many lists are under way at a time. */
const AT_ONCE = 3

/** A process that hears of revoked devices, and says of which it took note, until it is killed. */
async function main(folder: string): Promise<void> {
  const revocations = await openRevocationsIn(folder)
  process.stdout.write('ready\n')
  const hear = async (): Promise<void> => {
    for (;;) {
      const person = createKeyPair(systemRandom)
      const device = createKeyPair(systemRandom).did
      const revoked = [{ device, atMs: 1 }]
      await revocations.take(
        readList(signDeviceList(person, { sequence: 1, issuedAtMs: 1, devices: [], revoked }))
      )
      process.stdout.write(`${person.did} ${device}\n`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, hear))
}

if (import.meta.main) await main(process.argv[2] ?? '')
