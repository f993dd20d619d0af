import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { SetupError } from './errors.js'

const POLL_MS = 250
const WAIT_MS_MAX = 15 * 60 * 1000

/**
 * Runs `task` while no other process runs one under the same lock file; a lock whose owner died is taken over.
 *
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} task
 * @returns {Promise<T>}
 */
export async function withLock(path, task) {
  const deadline = performance.now() + WAIT_MS_MAX
  let isAnnounced = false
  while (!take(path)) {
    const owner = ownerOf(path)
    if (owner === undefined || !isAlive(owner)) {
      rmSync(path, { force: true })
      continue
    }
    if (performance.now() > deadline) {
      throw new SetupError(
        'ERR_SETUP_BUSY',
        `expected the setup of process ${owner} to end within 15 minutes`,
        `end that process, or remove ${path}`
      )
    }
    if (!isAnnounced) process.stderr.write(`setup: waiting for process ${owner}, which sets up now\n`)
    isAnnounced = true
    await sleep(POLL_MS)
  }
  try {
    return await task()
  } finally {
    rmSync(path, { force: true })
  }
}

/** @param {string} path */
function take(path) {
  const own = `${path}.${process.pid}`
  try {
    // A link appears with its content, so nobody ever reads a lock without an owner.
    writeFileSync(own, String(process.pid))
    linkSync(own, path)
    return true
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EEXIST') return false
    if (code === 'ENOSPC') {
      throw new SetupError(
        'ERR_SETUP_DISK_FULL',
        'expected free disk space, found none',
        'free some: df -h .'
      )
    }
    throw new SetupError(
      'ERR_SETUP_NOT_WRITABLE',
      `expected to write ${path}, got ${String(code)}`,
      'run it as the owner of this folder, or clone it where you may write'
    )
  } finally {
    rmSync(own, { force: true })
  }
}

/**
 * @param {string} path
 * @returns {number | undefined}
 */
function ownerOf(path) {
  try {
    const pid = Number(readFileSync(path, 'utf8'))
    return Number.isInteger(pid) && pid > 0 ? pid : undefined
  } catch {
    return undefined
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
