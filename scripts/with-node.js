import { resolve } from 'node:path'
import { reportFailure } from './setup/errors.js'
import { requireSetupNode } from './setup/runtime.js'

/** `node scripts/with-node.js FILE …args`: sets up, then runs a file of the project with the project's Node. */
async function main() {
  const [file, ...args] = process.argv.slice(2)
  if (file === undefined) throw new Error('expected the file to run, got nothing')
  requireSetupNode(process.versions.node)
  // Not before: what these import does not exist in an older Node, which would end with a syntax error.
  const { ROOT, setUp } = await import('./setup.js')
  const { runInOurPlace } = await import('./setup/command.js')
  const { node } = await setUp('check')
  process.exitCode = await runInOurPlace(node, [resolve(ROOT, file), ...args])
}

await main().catch(reportFailure)
