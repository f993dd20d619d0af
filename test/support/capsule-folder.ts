import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { compileScript } from './script-capsule.ts'

/** A capsule of a test, in a folder. */
export interface CapsuleFolderInit {
  readonly name: string
  readonly version?: string
  /** TypeScript; `capsule` is imported for it. */
  readonly script: string
  /** More of its manifest. */
  readonly manifest?: Readonly<Record<string, unknown>>
}

/** Compiled scripts by their text: compiling one takes a while, and versions share theirs. */
const compiled = new Map<string, Promise<Uint8Array>>()

/** Writes a capsule, compiled already, into a folder of its name below `parent`; returns the folder. */
export async function writeCapsuleFolder(parent: string, init: CapsuleFolderInit): Promise<string> {
  const { name, version = '1.0.0', script, manifest = {} } = init
  const folder = join(parent, name)
  await mkdir(folder, { recursive: true })
  const module = compiled.get(script) ?? compileScript(script)
  compiled.set(script, module)
  await writeFile(join(folder, 'main.wasm'), await module)
  const fields = { manifest: 2, name, version, substrate: 'wasm', entry: 'main.wasm', ...manifest }
  await writeFile(join(folder, 'capsule.json'), JSON.stringify(fields))
  return folder
}
