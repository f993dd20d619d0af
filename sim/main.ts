/**
 * The simulator as a program: what it finds goes to standard output, a JSON object a line; the last one of a run is its
 * report. The command line of the product starts it: see cli/commands/sim-run.ts.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, lstatSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { errorCode, errorMessage } from '#contracts'
import { FULL_RUN_FLAGS, SCENARIO_BYTES_MAX } from './constants.ts'
import { SimError } from './errors.ts'
import { freshSeed, isVirtualProcess, readTextStart } from './powers.ts'
import { argsForSeed, parseRequest, REQUEST_OPTIONS, type RunRequest } from './request.ts'
import { runScenario } from './run-one.ts'
import type { FinishedRun } from './run-report.ts'
import { SCENARIOS } from './scenarios/index.ts'

function say(value: object): void {
  writeSync(1, `${JSON.stringify(value)}\n`)
}

/** Makes time and chance virtual before anything else is loaded; beside this file, as a source or in the bundle. */
function preload(): string {
  const bundled = join(import.meta.dirname, 'sim-preload.mjs')
  return existsSync(bundled) ? bundled : join(import.meta.dirname, 'preload.ts')
}

/** Whole nodes need a process of their own each time; the channel to it is how it learns that nobody waits any more. */
async function runApart(seed: number, args: readonly string[]): Promise<number> {
  const program = process.argv[1] ?? ''
  const options = [...FULL_RUN_FLAGS, '--import', preload(), program, 'run', ...argsForSeed(args, seed)]
  const child = spawn(process.execPath, options, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const [status] = (await once(child, 'exit')) as [number | null]
  return status ?? 1
}

/** However the process that started this one ends, killed included, this one ends too. */
function endWithParent(): void {
  // it may have ended while this one was loaded; without a channel there is nothing to be connected to
  const isConnected = process.connected as boolean | undefined
  if (isConnected === false) process.exit(1)
  process.once('disconnect', () => process.exit(1))
  process.channel?.unref()
}

/** Before the first event, so that no run is for nothing. */
function refuseExisting({ tracePath, seriesPath, reportPath, isForced }: RunRequest): void {
  if (isForced) return
  for (const path of [tracePath, seriesPath, reportPath]) {
    if (path === undefined || lstatSync(path, { throwIfNoEntry: false }) === undefined) continue
    throw new SimError('ERR_SIM_OUTPUT_EXISTS', `${path} exists already`)
  }
}

/** What appears during a run is not replaced either. */
function flagOf({ isForced }: RunRequest): 'w' | 'wx' {
  return isForced ? 'w' : 'wx'
}

async function runHere(request: RunRequest, seed: number): Promise<FinishedRun> {
  const { name, scenario, nodeCount, durationMs, plant, tracePath } = request
  const file = tracePath === undefined ? undefined : openSync(tracePath, flagOf(request))
  try {
    return await runScenario(name, scenario, {
      ...{ seed, nodeCount, durationMs, plant },
      onTraceLine: file === undefined ? undefined : (line) => void writeSync(file, `${line}\n`)
    })
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

async function run(request: RunRequest, args: readonly string[]): Promise<number> {
  const first = request.seed ?? freshSeed()
  let exitCode = 0
  for (let index = 0; index < request.seedCount; index++) {
    const seed = (first + index) % 2 ** 32
    if (request.scenario.depth === 'full' && !isVirtualProcess()) {
      exitCode = Math.max(exitCode, await runApart(seed, args))
      continue
    }
    // said before anything can fail, in whatever way
    say({ event: 'seed', seed })
    refuseExisting(request)
    const { report, series } = await runHere(request, seed)
    const flag = flagOf(request)
    if (request.seriesPath !== undefined) writeFileSync(request.seriesPath, JSON.stringify(series), { flag })
    if (request.reportPath !== undefined) {
      const { renderReport } = await import('./report/index.ts')
      writeFileSync(request.reportPath, renderReport(series), { flag })
    }
    say(report)
    if (!report.isPassed) exitCode = 1
  }
  return exitCode
}

async function main(): Promise<number> {
  const [verb, ...args] = process.argv.slice(2)
  if (verb === 'list') {
    for (const [name, scenario] of Object.entries(SCENARIOS)) {
      const { about, depth, nodes } = scenario
      say({ name, about, depth, nodes, ...('duration' in scenario ? { duration: scenario.duration } : {}) })
    }
    return 0
  }
  const { values, positionals } = parseArgs({ args, options: REQUEST_OPTIONS, allowPositionals: true })
  const readText = (path: string): string => readTextStart(path, SCENARIO_BYTES_MAX + 1)
  return await run(parseRequest(positionals[0] ?? '', values, readText), args)
}

endWithParent()
process.exitCode = await main().catch((error: unknown) => {
  say({ error: { code: errorCode(error) ?? 'ERR_SIM_SCENARIO', message: errorMessage(error) } })
  return 2
})
