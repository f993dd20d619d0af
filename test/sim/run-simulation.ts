import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { CheckName, RunReport } from '#sim'
import { ROOT } from '../support/cli.ts'
import { startProcess } from '../support/process.ts'

/** What a virtual process said and how it ended. */
export interface VirtualRun {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program of a checkout in a process of its own whose time and chance are virtual, unless `isVirtual` is false. */
export async function runVirtual(
  program: string,
  o: { readonly args?: readonly string[]; readonly isVirtual?: boolean; readonly root?: string } = {}
): Promise<VirtualRun> {
  const { args = [], isVirtual = true, root = ROOT } = o
  const preload = isVirtual ? ['--import', join(root, 'sim', 'preload.ts')] : []
  await using child = await startProcess({
    command: process.execPath,
    args: [...preload, join(root, program), ...args],
    cwd: root
  })
  const { code } = await child.ended
  return { code, stdout: child.stdout.text(), stderr: child.stderr.text() }
}

/** Runs a scenario and reads its report. */
export async function runScenarioProcess(
  scenario: string,
  o: {
    readonly seed: number
    readonly nodes?: number
    readonly plant?: string
    readonly isVirtual?: boolean
    /** The folder of the checkout, when it is another one. */
    readonly root?: string
  }
): Promise<RunReport & { readonly code: number | null; readonly stderr: string }> {
  const nodes = o.nodes === undefined ? [] : ['--nodes', String(o.nodes)]
  const plant = o.plant === undefined ? [] : ['--plant', o.plant]
  const args = ['run', scenario, '--seed', String(o.seed), ...nodes, ...plant]
  const { code, stdout, stderr } = await runVirtual('sim/main.ts', {
    ...{ args, isVirtual: o.isVirtual ?? true },
    ...(o.root === undefined ? {} : { root: o.root })
  })
  const line = stdout.trim().split('\n').at(-1) ?? ''
  assert.ok(line.startsWith('{'), `expected a report of ${scenario} with seed ${o.seed}:\n${stderr}`)
  return { ...(JSON.parse(line) as RunReport), code, stderr }
}

/** Whether that checker found something, whatever the others found. */
export function isFoundBy(check: CheckName, { failure }: Pick<RunReport, 'failure'>): boolean {
  return failure !== undefined && new RegExp(`(^|; )${check}: `).test(failure.message)
}

/** Runs some seeds of a scenario of our parts, one after the other, in one process. */
export async function runSeeds(
  scenario: string,
  { first, count, plant }: { readonly first: number; readonly count: number; readonly plant?: string }
): Promise<RunReport[]> {
  const planted = plant === undefined ? [] : ['--plant', plant]
  const args = ['run', scenario, '--seed', String(first), '--seeds', String(count), ...planted]
  const { stdout, stderr } = await runVirtual('sim/main.ts', { args, isVirtual: false })
  const reports = stdout.split('\n').filter((line) => line.startsWith('{"scenario"'))
  assert.equal(reports.length, count, stderr)
  return reports.map((line) => JSON.parse(line) as RunReport)
}
