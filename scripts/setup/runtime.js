import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { isExecutable } from './command.js'
import { SetupError } from './errors.js'

/** The oldest Node that can run the setup, and the oldest that can run the project itself. */
export const SETUP_NODE_MAJOR = 20
export const PROJECT_NODE_MAJOR = 26

/**
 * Refuses a Node that cannot run the setup itself.
 *
 * @param {string} version for example `process.versions.node`
 */
export function requireSetupNode(version) {
  if (majorOf(version) >= SETUP_NODE_MAJOR) return
  throw new SetupError(
    'ERR_SETUP_NODE_TOO_OLD',
    `expected Node ${SETUP_NODE_MAJOR} or newer, this is ${version}`,
    `install Node ${SETUP_NODE_MAJOR} or newer; the project then brings its own Node ${PROJECT_NODE_MAJOR}`
  )
}

/**
 * The Node that runs the project: the pinned one from `node_modules`, or the running one where the pinned does
 * not exist for this platform or does not start (another C library) and the running one is new enough.
 *
 * @param {string} root the checkout
 * @returns {string} path of the executable
 */
export function findProjectNode(root) {
  const platform = `${process.platform}-${process.arch}`
  const pinned = join(root, 'node_modules', `node-${platform}`, 'bin', 'node')
  if (isExecutable(pinned) && starts(pinned)) return pinned
  if (majorOf(process.versions.node) >= PROJECT_NODE_MAJOR) return process.execPath
  throw new SetupError(
    'ERR_SETUP_PLATFORM',
    `expected a Node ${PROJECT_NODE_MAJOR} that runs on ${platform}, npm has none and this is ${process.versions.node}`,
    `install Node ${PROJECT_NODE_MAJOR} or newer yourself, then run this again with it`
  )
}

/** @param {string} program */
function starts(program) {
  // Its own start shows that the loader and the C library fit; running the wrong one fails at once.
  return program === process.execPath || spawnSync(program, ['--version'], { timeout: 30_000 }).status === 0
}

/** @param {string} version */
function majorOf(version) {
  return Number.parseInt(version, 10)
}
