import { join } from 'node:path'
import { reportFailure } from './setup/errors.js'
import { requireSetupNode } from './setup/runtime.js'

/** `npm start`: sets up, then runs a node until Ctrl-C. Arguments go to `elastos node start`. */
async function main() {
  requireSetupNode(process.versions.node)
  // Not before: what these import does not exist in an older Node, which would end with a syntax error.
  const { ROOT, setUp } = await import('./setup.js')
  const { runInOurPlace } = await import('./setup/command.js')
  await setUp('start')
  process.exitCode = await runInOurPlace(join(ROOT, 'elastos'), ['node', 'start', ...process.argv.slice(2)])
}

await main().catch(reportFailure)
