import { reportFailure } from './setup/errors.js'
import { requireSetupNode } from './setup/runtime.js'

/** `npm test [-- FILE… | mocha options]`: sets up, then runs the tests. */
async function main() {
  requireSetupNode(process.versions.node)
  // Not before: what these import does not exist in an older Node, which would end with a syntax error.
  const { setUp } = await import('./setup.js')
  const { runTests } = await import('./test/run.js')
  const { node, missing } = await setUp('test')
  process.exitCode = await runTests({ node, missing, args: process.argv.slice(2) })
}

await main().catch(reportFailure)
