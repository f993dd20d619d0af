import { parseArgs } from 'node:util'
import { errorDetail, errorMessage } from '#contracts'
import { buildGuest, systemGuestBuildPowers } from '#vmm'

/** `node scripts/build-guest.ts [--arch x86_64|aarch64] FOLDER`: builds the kernel and the first process of microVM guests. */
async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ options: { arch: { type: 'string' } }, allowPositionals: true })
  const [output] = positionals
  if (output === undefined) throw new Error('expected the folder to make')
  const arch = values.arch ?? (process.arch === 'arm64' ? 'aarch64' : 'x86_64')
  if (arch !== 'x86_64' && arch !== 'aarch64')
    throw new Error(`expected --arch x86_64 or aarch64, got ${arch}`)
  console.log(JSON.stringify(await buildGuest(systemGuestBuildPowers, { arch, output }), undefined, 2))
}

await main().catch((thrown: unknown) => {
  console.error([errorMessage(thrown), ...errorDetail(thrown)].join('\n  '))
  process.exitCode = 1
})
