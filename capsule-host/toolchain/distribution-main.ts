/**
 * Makes what a build ships of the toolchain, and the first-party capsules: `distribution-main.ts FOLDER`. Needs no more
 * than the sources and npm's packages.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errorDetail, errorMessage } from '#contracts'
import { listFirstPartySources, loadFirstPartyCapsule } from './powers/first-party.ts'
import { makeToolchain, TOOLCHAIN_FILES } from './powers/toolchain.ts'

const [folder = '.'] = process.argv.slice(2)

async function write(path: string, contents: Uint8Array | string): Promise<void> {
  const target = join(folder, path)
  await mkdir(dirname(target), { recursive: true })
  await writeFile(target, contents)
}

try {
  const { runtime, globals, sdk } = await makeToolchain()
  await write(TOOLCHAIN_FILES.runtime, runtime)
  await write(TOOLCHAIN_FILES.globals, globals)
  await write(TOOLCHAIN_FILES.sdk, sdk)
  for (const name of await listFirstPartySources()) {
    const { manifestBytes, module } = await loadFirstPartyCapsule(name)
    await write(`capsules/${name}.json`, manifestBytes)
    await write(`capsules/${name}.wasm`, module)
  }
} catch (thrown) {
  process.stderr.write([errorMessage(thrown), ...errorDetail(thrown), ''].join('\n'))
  process.exitCode = 1
}
