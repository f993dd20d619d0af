import { existsSync, readFileSync, statfsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { findProgram, runCommand } from './command.js'
import { SetupError } from './errors.js'

/** @typedef {{ version?: string, optional?: boolean, link?: boolean }} LockEntry */

/**
 * Whether `node_modules` holds what `package-lock.json` asks for. npm writes what it installed into
 * `node_modules/.package-lock.json` when it is done, so an interrupted install reads as absent.
 *
 * @param {string} root the checkout
 */
export function areDependenciesInstalled(root) {
  const wanted = readLock(join(root, 'package-lock.json'))
  const installed = readLock(join(root, 'node_modules', '.package-lock.json'))
  if (wanted === undefined || installed === undefined) return false
  return Object.entries(wanted).every(([path, entry]) => {
    const found = installed[path]
    // The packages of other platforms are optional and rightly not there.
    return path === '' || (found === undefined ? entry.optional === true : found.version === entry.version)
  })
}

/**
 * @param {string} path
 * @returns {Record<string, LockEntry> | undefined}
 */
function readLock(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages
  } catch {
    return undefined
  }
}

/**
 * Installs exactly what the lockfile says.
 *
 * @param {string} root the checkout
 */
export async function installDependencies(root) {
  const npm = findNpm()
  const isFirst = !existsSync(join(root, 'node_modules'))
  if (isFirst) requireRoom(root)
  const why = isFirst ? 'the first time, about a minute' : 'package-lock.json changed'
  process.stderr.write(`setup: installing the packages of package-lock.json (${why})\n`)
  const args = [...npm.args, 'ci', '--loglevel=warn', '--no-audit', '--no-fund']
  const result = await runCommand(npm.command, args, { cwd: root, isQuiet: true })
  if (result.code === 0) return
  // On Node 20 npm warns of packages that need more; those run on the pinned Node.
  const lines = result.output.split('\n').filter((line) => !line.startsWith('npm warn EBADENGINE'))
  process.stderr.write(`${lines.join('\n').trimEnd()}\n`)
  throw explainInstallFailure(result.output)
}

/** What the packages take on disk, and some room for what is built from them. */
const ROOM_BYTES = 750 * 1024 * 1024

/**
 * npm does not always notice a full disk: it may go on with half of a file.
 *
 * @param {string} root
 */
function requireRoom(root) {
  const { bavail, bsize } = statfsSync(root)
  if (bavail * bsize >= ROOM_BYTES) return
  const [wanted, found] = [ROOM_BYTES, bavail * bsize].map(
    (bytes) => `${Math.round(bytes / 1024 / 1024)} MiB`
  )
  throw diskFull(`expected ${wanted} of free disk space for the packages, found ${found}`)
}

/** @param {string} message */
function diskFull(message) {
  return new SetupError(
    'ERR_SETUP_DISK_FULL',
    message,
    'free some space (df -h shows where), then run this again'
  )
}

/** @returns {{ command: string, args: string[] }} */
function findNpm() {
  const running = process.env.npm_execpath
  if (running !== undefined && basename(running) === 'npm-cli.js' && existsSync(running)) {
    return { command: process.execPath, args: [running] }
  }
  const program = findProgram('npm')
  if (program !== undefined) return { command: program, args: [] }
  throw new SetupError(
    'ERR_SETUP_NPM_MISSING',
    'expected npm on the PATH, found none',
    'install it beside Node (Debian: apt-get install npm), then run this again'
  )
}

const NETWORK =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|ENOTCACHED)\b/

/**
 * Says what a person can do about a failed `npm ci`.
 *
 * @param {string} output what npm wrote
 * @returns {SetupError}
 */
export function explainInstallFailure(output) {
  if (/\bENOSPC\b/.test(output)) {
    return diskFull('expected room for the packages, the disk is full')
  }
  const network = NETWORK.exec(output)
  if (network !== null) {
    return new SetupError(
      'ERR_SETUP_OFFLINE',
      `expected to reach the npm registry, got ${String(network[1])}`,
      'connect this machine (behind a proxy: npm config set proxy …), then run this again'
    )
  }
  if (/\b(EACCES|EPERM|EROFS)\b/.test(output)) {
    return new SetupError(
      'ERR_SETUP_NOT_WRITABLE',
      'expected to write node_modules, was not allowed to',
      'run it as the owner of this folder, or clone it where you may write'
    )
  }
  return new SetupError(
    'ERR_SETUP_INSTALL_FAILED',
    'npm ci did not succeed; what it said is above',
    'run "npm ci" in the checkout to see it again'
  )
}
