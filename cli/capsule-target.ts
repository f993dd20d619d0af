import { resolve } from 'node:path'
import type { CliContext } from './context.ts'

/** A path begins with `.` or `/`, as in a shell; it is made absolute because the node has a folder of its own. */
export function capsuleTarget(target: string, context: Pick<CliContext, 'workingFolder'>): string {
  const isPath = target.startsWith('.') || target.startsWith('/')
  return isPath ? resolve(context.workingFolder, target) : target
}
