import { silentLogger, systemClock, systemRandom } from '#contracts'
import { openVault, systemVaultDisk } from '#capsule-host'

/**
 * Changes a vault until it is killed, and says what it was promised: a line `N` when round N is durable. Round N replaces the
 * three files of the vault by N, in turn by `replace`, by a rename, and by writing into it.
 */
const [folder = '', first = '0'] = process.argv.slice(2)
const components = { disk: systemVaultDisk, clock: systemClock, random: systemRandom, logger: silentLogger }
const vault = openVault(components, { folder, secret: new Uint8Array(32).fill(5) })
const root = await vault.root('worker', { quotaBytes: 64 * 1024 * 1024 })

/** A file that says N from front to back; its size differs from round to round. */
function contentOf(round: number): Uint8Array {
  return Buffer.from(`${round}\n`.repeat(1 + ((round * 7919) % 40_000)))
}

for (let round = Number(first) + 1; ; round++) {
  const content = contentOf(round)
  await root.replace('replaced', content)
  const handle = await root.open('fresh', { isCreating: true, isTruncating: true, isWriting: true })
  for (let at = 0; at < content.byteLength; at += 50_000)
    await handle.write(at, content.subarray(at, at + 50_000))
  await handle.close()
  await root.rename('fresh', 'renamed')
  const written = await root.open('written', { isCreating: true, isWriting: true })
  await written.write(0, content)
  await written.truncate(content.byteLength)
  await written.sync()
  await written.close()
  if (round % 5 === 0) {
    for (const { id } of await root.snapshots()) await root.dropSnapshot(id)
    await root.snapshot()
  }
  process.stdout.write(`${round}\n`)
}
