/**
 * Compiles one capsule written in TypeScript, in a process of its own: `main.ts ENTRY OUTPUT`. What is wrong with the
 * sources goes to standard error, a line each, with exit code 1.
 */
import { writeFile } from 'node:fs/promises'
import { CapsuleError } from '../errors.ts'
import { compileTypeScript } from './compile-typescript.ts'

const [entry, output] = process.argv.slice(2)
try {
  if (entry === undefined || output === undefined) throw new Error('expected ENTRY and OUTPUT')
  await writeFile(output, await compileTypeScript({ entry }))
} catch (thrown) {
  const lines = thrown instanceof CapsuleError && thrown.detail.length > 0 ? thrown.detail : [String(thrown)]
  process.stderr.write(`${lines.join('\n')}\n`)
  process.exitCode = 1
}
