import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { openVault, systemVaultDisk, type Vault, type VaultRoot } from '#capsule-host'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import { createTemporaryFolder } from '../test/support/temporary-folder.ts'
import type { Benchmark, Sides } from './harness.ts'

const MIB = 1024 * 1024
const LARGE_MIB = 128
const SMALL_COUNT = 100
const SMALL_BYTES = 1024

/** A place for both sides: the same disk, one of them encrypted. */
interface Place extends AsyncDisposable {
  readonly root: VaultRoot
  readonly folder: string
}

/** What a vault costs beside plain files on the same disk, both made durable. */
export const benchmarks: readonly Benchmark[] = [
  createBenchmark('vault-write', 'a plain file, written and synced', async (place) => ({
    ours: () => megabytesASecond(async () => await writeOurs(place.root)),
    baseline: () => megabytesASecond(async () => await writePlain(join(place.folder, 'plain')))
  })),
  createBenchmark('vault-read', 'a plain file', async (place) => {
    await writeOurs(place.root)
    await writePlain(join(place.folder, 'plain'))
    return {
      ours: () => megabytesASecond(async () => await readOurs(place.root)),
      baseline: () => megabytesASecond(async () => await readPlain(join(place.folder, 'plain')))
    }
  }),
  {
    ...createBenchmark('vault-small', 'plain files of 1 KiB, each synced', async (place) => ({
      ours: () => perFile(async (at) => await replaceOurs(place.root, at)),
      baseline: () => perFile(async (at) => await replacePlain(place.folder, at))
    })),
    unit: 'ms',
    better: 'lower'
  }
]

function createBenchmark(
  name: string,
  baselineName: string,
  sides: (place: Place) => Promise<Pick<Sides, 'ours' | 'baseline'>>
): Benchmark {
  return {
    ...{ name, baselineName, unit: 'MB/s', better: 'higher', runs: 7 },
    open: async () => {
      const place = await openPlace()
      return {
        ...(await sides(place)),
        [Symbol.asyncDispose]: async () => await place[Symbol.asyncDispose]()
      }
    }
  }
}

async function openPlace(): Promise<Place> {
  const temporary = await createTemporaryFolder()
  const vault: Vault = openVault(
    { disk: systemVaultDisk, clock: systemClock, random: systemRandom, logger: silentLogger },
    { folder: join(temporary.path, 'vault'), secret: systemRandom.bytes(32) }
  )
  const root = await vault.root('bench', { quotaBytes: 16 * 1024 * MIB })
  return {
    root,
    folder: temporary.path,
    [Symbol.asyncDispose]: async () => {
      await vault[Symbol.asyncDispose]()
      await temporary[Symbol.asyncDispose]()
    }
  }
}

async function megabytesASecond(task: () => Promise<void>): Promise<number> {
  const startedAt = performance.now()
  await task()
  return (LARGE_MIB * MIB) / 1000 / (performance.now() - startedAt)
}

async function perFile(task: (at: number) => Promise<void>): Promise<number> {
  const startedAt = performance.now()
  for (let at = 0; at < SMALL_COUNT; at++) await task(at)
  return (performance.now() - startedAt) / SMALL_COUNT
}

const PIECE: Uint8Array = systemRandom.bytes(MIB)
const SMALL: Uint8Array = systemRandom.bytes(SMALL_BYTES)

async function writeOurs(root: VaultRoot): Promise<void> {
  const file = await root.open('large', { isCreating: true, isTruncating: true, isWriting: true })
  for (let at = 0; at < LARGE_MIB; at++) await file.write(at * MIB, PIECE)
  await file.sync()
  await file.close()
}

async function readOurs(root: VaultRoot): Promise<void> {
  const file = await root.open('large', {})
  for (let at = 0; at < LARGE_MIB; at++) await file.read(at * MIB, MIB)
  await file.close()
}

async function replaceOurs(root: VaultRoot, at: number): Promise<void> {
  await root.replace(`small-${at}`, SMALL)
  await root.flush()
}

async function writePlain(path: string): Promise<void> {
  const file = await open(path, 'w')
  for (let at = 0; at < LARGE_MIB; at++) await file.write(PIECE, 0, MIB, at * MIB)
  await file.datasync()
  await file.close()
}

async function readPlain(path: string): Promise<void> {
  const file = await open(path, 'r')
  for (let at = 0; at < LARGE_MIB; at++) await file.read(new Uint8Array(MIB), 0, MIB, at * MIB)
  await file.close()
}

async function replacePlain(folder: string, at: number): Promise<void> {
  const file = await open(join(folder, `small-${at}`), 'w')
  await file.write(SMALL)
  await file.datasync()
  await file.close()
}
