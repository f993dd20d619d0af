import { spawn } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * @typedef {object} CommandResult
 * @property {number} code exit code, 128 + n when signal n ended it, 127 when it does not exist
 * @property {string} output the end of what it wrote to both streams
 */

const OUTPUT_CHARACTERS_MAX = 64 * 1024

/**
 * Runs a command to its end. What it writes goes to our standard error too, so that standard output stays
 * for the job itself.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd: string, env?: NodeJS.ProcessEnv, timeoutMs?: number, isQuiet?: boolean }} o
 * @returns {Promise<CommandResult>}
 */
export function runCommand(command, args, o) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: o.cwd,
      env: o.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: o.timeoutMs,
      killSignal: 'SIGKILL'
    })
    let output = ''
    const keep = (/** @type {Buffer} */ chunk) => {
      output = (output + chunk.toString()).slice(-OUTPUT_CHARACTERS_MAX)
      if (o.isQuiet !== true) process.stderr.write(chunk)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.on('error', (error) => resolve({ code: 127, output: `${output}${error.message}\n` }))
    child.on('close', (code, signal) => resolve({ code: code ?? exitCodeOf(signal), output }))
  })
}

/**
 * Runs a command in the place of this script: same standard streams, signals passed on once, its exit code
 * ours.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [o]
 * @returns {Promise<number>} its exit code
 */
export function runInOurPlace(command, args, o = {}) {
  const child = spawn(command, args, { cwd: o.cwd, env: o.env ?? process.env, stdio: 'inherit' })
  const stopForwarding = forwardSignals(child)
  return new Promise((resolve, reject) => {
    child.on('error', (error) => {
      stopForwarding()
      reject(error)
    })
    child.on('exit', (code, signal) => {
      stopForwarding()
      resolve(code ?? exitCodeOf(signal))
    })
  })
}

const FORWARDED = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])
const REPEAT_MS = 2_000

/**
 * Ctrl-C reaches every process of the terminal's foreground group by itself, and npm sends it to us once
 * more: the child must see one interrupt, or it takes the second for "at once".
 *
 * @param {import('node:child_process').ChildProcess} child
 * @returns {() => void} ends the forwarding
 */
function forwardSignals(child) {
  const hasTerminal = process.stdin.isTTY === true
  /** @type {Map<NodeJS.Signals, number>} */
  const sentAt = new Map()
  const forward = (/** @type {NodeJS.Signals} */ signal) => {
    if (hasTerminal && signal !== 'SIGTERM') return
    const last = sentAt.get(signal)
    const now = performance.now()
    if (last !== undefined && now - last < REPEAT_MS) return
    sentAt.set(signal, now)
    child.kill(signal)
  }
  for (const signal of FORWARDED) process.on(signal, forward)
  return () => {
    for (const signal of FORWARDED) process.off(signal, forward)
  }
}

const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15, SIGABRT: 6 }

/** @param {NodeJS.Signals | null} signal */
function exitCodeOf(signal) {
  const number = Object.entries(SIGNAL_NUMBERS).find(([name]) => name === signal)?.[1]
  return 128 + (number ?? 0)
}

/**
 * The file that a program's name means, looked for as a shell does.
 *
 * @param {string} name
 * @returns {string | undefined} absolute path
 */
export function findProgram(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable)
}

/** @param {string} path */
export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
