/**
 * Makes what a build ships of the toolchain, and the first-party capsules, signed: `distribution-main.ts FOLDER`. Needs no more
 * than the sources and npm's packages.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errorDetail, errorMessage, systemRandom } from '#contracts'
import { createKeyPair, keyPairFromSeed, type KeyPair } from '#did'
import { listFirstPartySources, loadFirstPartyCapsule } from './powers/first-party.ts'
import { packShipped } from './shipped-capsule.ts'
import { makeToolchain, TOOLCHAIN_FILES } from './powers/toolchain.ts'

const [folder = '.'] = process.argv.slice(2)

async function write(path: string, contents: Uint8Array | string): Promise<void> {
  const target = join(folder, path)
  await mkdir(dirname(target), { recursive: true })
  await writeFile(target, contents)
}

/**
 * The key that signs what ships: its seed is in the file that `ELASTOS_RELEASE_KEY` names, 64 hexadecimal digits. Without one it
 * is a fresh key, which nobody has once the build is over, so that nothing can be passed off as an update of this build.
 */
async function releaseKey(): Promise<KeyPair> {
  const file = process.env['ELASTOS_RELEASE_KEY']
  if (file === undefined) return createKeyPair(systemRandom)
  const text = (await readFile(file, 'utf8')).trim()
  if (!/^[0-9a-f]{64}$/.test(text)) throw new Error(`expected 64 hexadecimal digits in ${file}`)
  return keyPairFromSeed(Buffer.from(text, 'hex'))
}

try {
  const { runtime, globals, sdk } = await makeToolchain()
  await write(TOOLCHAIN_FILES.runtime, runtime)
  await write(TOOLCHAIN_FILES.globals, globals)
  await write(TOOLCHAIN_FILES.sdk, sdk)
  const publisher = await releaseKey()
  for (const name of await listFirstPartySources()) {
    const { manifestBytes, module } = await loadFirstPartyCapsule(name)
    await write(
      `capsules/${name}.capsule`,
      await packShipped(publisher, { manifest: manifestBytes, entry: module })
    )
  }
} catch (thrown) {
  process.stderr.write([errorMessage(thrown), ...errorDetail(thrown), ''].join('\n'))
  process.exitCode = 1
}
