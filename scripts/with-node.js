import { resolve } from 'node:path'
import { ROOT, setUp } from './setup.js'
import { runInOurPlace } from './setup/command.js'
import { reportFailure } from './setup/errors.js'

/** `node scripts/with-node.js FILE …args`: sets up, then runs a file of the project with the project's Node. */
async function main() {
  const [file, ...args] = process.argv.slice(2)
  if (file === undefined) throw new Error('expected the file to run, got nothing')
  const { node } = await setUp('check')
  process.exitCode = await runInOurPlace(node, [resolve(ROOT, file), ...args])
}

await main().catch(reportFailure)
