import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProjectNode } from '../setup/runtime.js'

const PROGRAM = 'capsule-host/toolchain/distribution-main.ts'

/**
 * What compiles capsules in TypeScript, and the project's own capsules, compiled. The toolchain is written in TypeScript, so
 * the project's Node runs it.
 *
 * @param {string} root
 * @returns {import('./output.js').OutputFile[]}
 */
export function capsules(root) {
  const folder = mkdtempSync(join(tmpdir(), 'elastos-build-'))
  try {
    const { status, stderr } = spawnSync(findProjectNode(root), [join(root, PROGRAM), folder], {
      encoding: 'utf8'
    })
    if (status !== 0) throw new Error(`the capsules do not build: ${stderr.trim()}`)
    return filesBelow(folder).map((path) => ({ path, contents: readFileSync(join(folder, path)) }))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * @param {string} folder
 * @returns {string[]} relative to it
 */
function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) =>
      entry.isDirectory()
        ? filesBelow(join(folder, entry.name)).map((path) => `${entry.name}/${path}`)
        : [entry.name]
    )
    .sort()
}
