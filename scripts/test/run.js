import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Quick kinds first, so that a mistake shows early; kinds not named here come last. */
const KIND_ORDER = ['unit', 'contract', 'property', 'sim', 'net', 'e2e']
/** Folders below `test/` that hold no tests of this run. */
const NO_TESTS = new Set(['support', 'vectors', 'fixtures', 'long'])
const RUN_MS_MAX = 20 * 60 * 1000
/** After the last test, how long the process may need to end by itself: longer is a leak, and a failure. */
const LINGER_MS_MAX = Number(process.env.ELASTOS_TEST_LINGER_MS ?? 20 * 1000)
const POLL_MS = 500

/**
 * @typedef {object} Outcome
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {string[]} notes lines for the summary
 */

/**
 * Runs the tests and closes with what was skipped, by name, and the line `N passed, N failed, N skipped`.
 *
 * @param {object} o
 * @param {string} o.node the Node that runs them
 * @param {readonly string[]} o.args files, or options of mocha
 * @param {readonly import('../setup/packages.js').MissingPackage[]} o.missing what the set-up could not install
 * @returns {Promise<number>} the exit code
 */
export async function runTests({ node, args, missing }) {
  const folder = mkdtempSync(join(tmpdir(), 'elastos-test-'))
  try {
    const report = join(folder, 'report.jsonl')
    const why = await runMocha({ node, args, report })
    const outcome = readReport(report, why)
    for (const { name, reason } of missing) console.log(`skipped: package ${name}: ${reason}`)
    for (const note of outcome.notes) console.log(note)
    console.log(`${outcome.passed} passed, ${outcome.failed} failed, ${outcome.skipped} skipped`)
    return outcome.failed > 0 ? 1 : 0
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * @param {{ node: string, args: readonly string[], report: string }} o
 * @returns {Promise<string | undefined>} why the run did not end by itself with an exit code that the report explains
 */
function runMocha({ node, args, report }) {
  const files = args.some((argument) => /[*/]|\.ts$/.test(argument)) ? [] : defaultFiles()
  const mocha = join(ROOT, 'node_modules', 'mocha', 'bin', 'mocha.js')
  const options = [
    '--reporter',
    join(ROOT, 'scripts', 'summary-reporter.ts'),
    '--reporter-option',
    `report=${report}`
  ]
  const child = spawn(node, [mocha, ...options, ...args, ...files], { cwd: ROOT, stdio: 'inherit' })
  const startedAt = performance.now()
  let endedAt = Infinity
  /** @type {string | undefined} */
  let why
  const watch = setInterval(() => {
    const now = performance.now()
    if (endedAt === Infinity && hasEnded(report)) endedAt = now
    if (now - endedAt > LINGER_MS_MAX)
      why = 'a test left a handle open: the process did not end after the last test'
    else if (now - startedAt > RUN_MS_MAX) why = `the tests did not end within ${RUN_MS_MAX / 60_000} minutes`
    else return
    child.kill('SIGKILL')
  }, POLL_MS)
  const interrupt = (/** @type {NodeJS.Signals} */ signal) => void child.kill(signal)
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
  return new Promise((resolve) => {
    const end = (/** @type {string | undefined} */ reason) => {
      clearInterval(watch)
      process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
      resolve(reason)
    }
    child.on('error', (error) => end(`mocha could not be started: ${error.message}`))
    child.on('exit', (code, signal) =>
      end(why ?? (signal === null ? undefined : `mocha was ended by ${signal}`))
    )
  })
}

function defaultFiles() {
  const kinds = readdirSync(join(ROOT, 'test'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !NO_TESTS.has(entry.name))
    .map((entry) => entry.name)
    .sort((a, b) => rank(a) - rank(b))
  return kinds.map((kind) => `test/${kind}/**/*.test.ts`)
}

/** @param {string} kind */
function rank(kind) {
  const at = KIND_ORDER.indexOf(kind)
  return at === -1 ? KIND_ORDER.length : at
}

/** @param {string} report */
function hasEnded(report) {
  return existsSync(report) && readFileSync(report, 'utf8').includes('"event":"end"')
}

/**
 * @param {string} report
 * @param {string | undefined} why
 * @returns {Outcome}
 */
function readReport(report, why) {
  const lines = existsSync(report) ? readFileSync(report, 'utf8').trim().split('\n').filter(Boolean) : []
  const events = lines.map((line) => JSON.parse(line))
  const notes = events
    .filter(({ event }) => event === 'skip')
    .map(({ title, reason }) => `skipped: ${title}: ${reason}`)
  const end = events.find(({ event }) => event === 'end')
  if (end !== undefined) {
    if (why !== undefined) notes.push(`failed: ${why}`)
    return { ...end, failed: end.failed + (why === undefined ? 0 : 1), notes }
  }
  const tests = events.filter(({ event }) => event === 'test')
  const last = tests.at(-1)
  notes.push(`failed: ${why ?? 'mocha ended before its end'}; last test begun: ${last?.title ?? 'none'}`)
  return { passed: Math.max(0, tests.length - 1), failed: 1, skipped: notes.length - 1, notes }
}
