/** Adds files until it is killed, and says each one when it has been promised. Argument: its data folder. */
import { join } from 'node:path'
import { argv, stdout } from 'node:process'
import { LevelDatastore } from 'datastore-level'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import { startContent } from '#content'
import { bytesOf } from '../../unit/content/fixture.ts'

const folder = argv[2] ?? ''
const datastore = new LevelDatastore(join(folder, 'db'))
await datastore.open()
await using content = await startContent({
  routing: 'off',
  datastore,
  blocks: join(folder, 'blocks'),
  isDenied: () => false,
  clock: systemClock,
  random: systemRandom,
  logger: silentLogger
})
for (let seed = systemClock.nowMs(); ; seed++) {
  const { cid } = await content.addFiles([{ path: 'file', content: bytesOf(300_000, seed) }])
  stdout.write(`${JSON.stringify({ event: 'added', cid: cid.toString() })}\n`)
}
