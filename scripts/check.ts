import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

/** `npm run check [-- STEP…]`: what a change must pass before its tests, cheapest first, until one fails. */

const ROOT = join(import.meta.dirname, '..')

interface Step {
  readonly name: string
  /** What mends it, shown when it fails. */
  readonly advice: string
  /** Scripts to run, each with its arguments, relative to the root. */
  readonly commands: readonly (readonly [string, ...string[]])[]
}

const bin = (path: string): string => join('node_modules', path)

const STEPS: readonly Step[] = [
  {
    name: 'documents',
    advice: 'npm run docs writes the generated tables; the rest is for you to mend',
    commands: [['scripts/check-docs.ts']]
  },
  {
    name: 'layers',
    advice: 'scripts/layers.js says who may import whom',
    commands: [
      [bin('dependency-cruiser/bin/dependency-cruise.mjs'), '--config', '.dependency-cruiser.js', '.']
    ]
  },
  {
    name: 'unused',
    advice: 'remove it, or use it',
    commands: [[bin('knip/bin/knip.js'), '--no-config-hints']]
  },
  {
    name: 'format',
    advice: 'npm run format',
    commands: [[bin('prettier/bin/prettier.cjs'), '--check', '--log-level', 'warn', '.']]
  },
  {
    name: 'types',
    advice: 'the compiler says where',
    commands: [
      [bin('typescript/bin/tsc'), '-p', '.'],
      [bin('typescript/bin/tsc'), '-p', 'scripts']
    ]
  },
  {
    name: 'front doors',
    advice: 'every export of an index.ts has a TSDoc comment whose links resolve',
    commands: [[bin('typedoc/bin/typedoc'), '--options', 'typedoc.js', '--emit', 'none']]
  },
  {
    name: 'lint',
    advice: 'npx eslint . --fix mends some; CONTRIBUTING.md says why a rule is there',
    commands: [[bin('eslint/bin/eslint.js'), '--max-warnings=0', '.']]
  }
]

function main(names: readonly string[]): void {
  const unknown = names.find((name) => !STEPS.some((step) => step.name === name))
  if (unknown !== undefined) {
    console.error(`expected one of ${STEPS.map(({ name }) => name).join(', ')}; got "${unknown}"`)
    process.exitCode = 64
    return
  }
  const startedAt = performance.now()
  for (const step of STEPS) {
    if (names.length > 0 && !names.includes(step.name)) continue
    if (runStep(step)) continue
    process.exitCode = 1
    return
  }
  console.log(`check: all is well (${seconds(startedAt)})`)
}

function runStep({ name, advice, commands }: Step): boolean {
  const startedAt = performance.now()
  for (const command of commands) {
    const { status, error } = spawnSync(process.execPath, command, { cwd: ROOT, stdio: 'inherit' })
    if (status === 0) continue
    console.error(`check: ${name} failed${error === undefined ? '' : ` (${error.message})`}: ${advice}`)
    return false
  }
  console.log(`check: ${name} (${seconds(startedAt)})`)
  return true
}

function seconds(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`
}

main(process.argv.slice(2))
