import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './sources.ts'

/** Files of the project, relative to the root: those git tracks and those it would if asked. */
export function projectFiles(): string[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024
  })
  const paths = new Set(listed.split('\0').filter((path) => path !== '' && existsSync(join(ROOT, path))))
  return [...paths].sort()
}
