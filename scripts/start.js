import { join } from 'node:path'
import { ROOT, setUp } from './setup.js'
import { runInOurPlace } from './setup/command.js'
import { reportFailure } from './setup/errors.js'

/** `npm start`: sets up, then runs a node until Ctrl-C. Arguments go to `elastos node start`. */
async function main() {
  await setUp('start')
  process.exitCode = await runInOurPlace(join(ROOT, 'elastos'), ['node', 'start', ...process.argv.slice(2)])
}

await main().catch(reportFailure)
