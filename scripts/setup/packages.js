import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { findProgram, runCommand } from './command.js'

/** @typedef {import('./command.js').CommandResult} CommandResult */

/** @typedef {'start' | 'test' | 'check'} SetupMode what the setup is for */

/**
 * @typedef {object} SystemPackage
 * @property {string} name Debian's name
 * @property {string} program what shows that it is there
 * @property {string} purpose what does not work without it
 * @property {readonly SetupMode[]} modes which jobs want it
 * @property {boolean} [forMachines] whether it is for microVMs, whose tests run on x86-64 only
 */

/**
 * @typedef {object} MissingPackage
 * @property {string} name
 * @property {string} reason what does not work, and why it could not be installed
 */

/** @type {readonly SystemPackage[]} */
export const SYSTEM_PACKAGES = [
  {
    name: 'bubblewrap',
    program: 'bwrap',
    purpose: 'capsules of others are refused',
    modes: ['start', 'test']
  },
  {
    name: 'util-linux',
    program: 'prlimit',
    purpose: 'capsules of others are refused',
    modes: ['start', 'test']
  },
  { name: 'bsdutils', program: 'script', purpose: 'tests in a terminal are skipped', modes: ['test'] },
  { name: 'nftables', program: 'nft', purpose: 'tests behind NATs are skipped', modes: ['test'] },
  {
    name: 'qemu-system-x86',
    program: 'qemu-system-x86_64',
    purpose: 'tests in a microVM are skipped',
    modes: ['test'],
    forMachines: true
  },
  {
    name: 'musl-tools',
    program: 'musl-gcc',
    purpose: 'tests in a microVM are skipped',
    modes: ['test'],
    forMachines: true
  }
]

const APT_TIMEOUT_MS = 5 * 60 * 1000

/**
 * Sees to the programs of the system: installs what is missing where it may (root with apt-get; `npm start`
 * asks first), and returns what stays missing, by name.
 *
 * @param {SetupMode} mode
 * @param {string} root the checkout
 * @returns {Promise<MissingPackage[]>}
 */
export async function provideSystemPackages(mode, root) {
  if (process.platform !== 'linux') return []
  const missing = SYSTEM_PACKAGES.filter(
    ({ modes, program, forMachines }) =>
      modes.includes(mode) && (forMachines !== true || process.arch === 'x64') && !findProgram(program)
  )
  if (missing.length === 0) return []
  const names = missing.map(({ name }) => name)
  const refusal = await reasonNotToInstall(mode, names, root)
  if (refusal !== undefined) return named(missing, refusal)
  // apt-get installs none of its arguments when it does not know one: a system without these has the others all the same.
  const parts = [false, true].map((isForMachines) =>
    missing.filter(({ forMachines = false }) => forMachines === isForMachines)
  )
  const update = await runApt(['update'], root)
  const stillMissing = []
  for (const part of parts) stillMissing.push(...(await install(part, { root, update })))
  return stillMissing
}

/**
 * @param {readonly SystemPackage[]} packages
 * @param {{ root: string, update: CommandResult }} after
 * @returns {Promise<MissingPackage[]>} those that stay missing
 */
async function install(packages, after) {
  if (packages.length === 0) return []
  const failure = await installWithApt(
    packages.map(({ name }) => name),
    after
  )
  return named(
    packages.filter(({ program }) => !findProgram(program)),
    failure
  )
}

/**
 * @param {readonly SystemPackage[]} packages
 * @param {string} why
 */
function named(packages, why) {
  return packages.map(({ name, purpose }) => ({ name, reason: `${purpose}: ${why}` }))
}

/**
 * @param {SetupMode} mode
 * @param {readonly string[]} names
 * @param {string} root
 * @returns {Promise<string | undefined>} why they are not installed, `undefined` when they may be
 */
async function reasonNotToInstall(mode, names, root) {
  if (findProgram('apt-get') === undefined)
    return `install ${names.join(' and ')} with this system's packages`
  if (process.getuid?.() !== 0) return `run: sudo apt-get install ${names.join(' ')}`
  if (mode === 'test') return undefined
  const command = `apt-get install ${names.join(' ')}`
  return (await agrees(command, root)) ? undefined : `run: ${command}`
}

/**
 * Asks, where somebody can answer and has not said no before.
 *
 * @param {string} command
 * @param {string} root
 */
async function agrees(command, root) {
  const declined = join(root, 'node_modules', '.elastos-declined')
  if (process.stdin.isTTY !== true || existsSync(declined)) return false
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  lines.once('SIGINT', () => {
    lines.close()
    process.kill(process.pid, 'SIGINT')
  })
  // Ctrl-D at the question means no.
  const answer = await Promise.race([
    lines.question(`Run "${command}" now? [Y/n] `),
    new Promise((resolve) => lines.once('close', () => resolve('n')))
  ])
  lines.close()
  if (/^(y|yes|)$/i.test(String(answer).trim())) return true
  writeFileSync(declined, command)
  return false
}

/**
 * @param {readonly string[]} names
 * @param {{ root: string, update: CommandResult }} after
 * @returns {Promise<string>} what to say when a package is still missing afterwards
 */
async function installWithApt(names, { root, update }) {
  process.stderr.write(`setup: apt-get install ${names.join(' ')}\n`)
  const install = await runApt(['install', '-y', '--no-install-recommends', ...names], root)
  const failed = install.code !== 0 ? install : update
  const lastLine = failed.output.trim().split('\n').at(-1) ?? ''
  return `apt-get ended with ${failed.code} (${lastLine})`
}

/**
 * @param {readonly string[]} args
 * @param {string} root
 * @returns {Promise<CommandResult>}
 */
function runApt(args, root) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  return runCommand('apt-get', ['-q', ...args], { cwd: root, env, timeoutMs: APT_TIMEOUT_MS, isQuiet: true })
}
