import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCommand } from './setup/command.js'
import { areDependenciesInstalled, installDependencies } from './setup/dependencies.js'
import { SetupError, reportFailure } from './setup/errors.js'
import { withLock } from './setup/lock.js'
import { provideSystemPackages } from './setup/packages.js'
import { findProjectNode } from './setup/runtime.js'

/** The checkout. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))

/**
 * @typedef {object} Setup
 * @property {string} node the Node that runs the project
 * @property {import('./setup/packages.js').MissingPackage[]} missing what could not be installed
 */

/**
 * Makes the checkout ready: packages of the lockfile, the pinned Node, the bundle, programs of the system.
 * Does nothing that is done already.
 *
 * @param {import('./setup/packages.js').SetupMode} mode
 * @returns {Promise<Setup>}
 * @throws {SetupError} saying what a person can do
 */
export async function setUp(mode) {
  const node = await withLock(join(ROOT, '.setup.lock'), async () => {
    if (!areDependenciesInstalled(ROOT)) await installDependencies(ROOT)
    const found = findProjectNode(ROOT)
    await build(found)
    return found
  })
  const missing = await provideSystemPackages(mode, ROOT)
  for (const { name, reason } of missing) process.stderr.write(`setup: without ${name}: ${reason}\n`)
  return { node, missing }
}

/** @param {string} node */
async function build(node) {
  const result = await runCommand(node, [join(ROOT, 'scripts', 'build.js')], { cwd: ROOT })
  if (result.code === 0) return
  throw new SetupError(
    'ERR_SETUP_BUILD_FAILED',
    'the bundle could not be built; what failed is above',
    'mend the sources, then "npm run build"'
  )
}

if (
  process.argv[1] !== undefined &&
  existsSync(process.argv[1]) &&
  import.meta.filename === process.argv[1]
) {
  await setUp('check').catch(reportFailure)
}
