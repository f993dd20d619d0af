import { setUp } from './setup.js'
import { reportFailure } from './setup/errors.js'
import { runTests } from './test/run.js'

/** `npm test [-- FILE… | mocha options]`: sets up, then runs the tests. */
async function main() {
  const { node, missing } = await setUp('test')
  process.exitCode = await runTests({ node, missing, args: process.argv.slice(2) })
}

await main().catch(reportFailure)
