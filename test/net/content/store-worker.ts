/**
 * Adds, fetches, unpins and collects until it is killed, and says what it has promised. Argument: its data folder. When
 * it opens it says what it found.
 */
import { randomBytes, randomInt } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { argv, stdout } from 'node:process'
import { setTimeout } from 'node:timers/promises'
import { LevelDatastore } from 'datastore-level'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import { startContent } from '#content'
import { fakeExchange, startFixture } from '../../unit/content/fixture.ts'

/** Pins kept at most, so that the folder does not grow with the kills. */
const PINS_KEPT = 24
const folder = argv[2] ?? ''

function say(event: string, o: object = {}): void {
  stdout.write(`${JSON.stringify({ event, ...o })}\n`)
}

/** A small folder with files of all sizes, some of several blocks. */
function files(): { path: string; content: Uint8Array }[] {
  return Array.from({ length: randomInt(1, 12) }, (_, index) => ({
    path: `file ${index}`,
    content: randomBytes(randomInt(4) === 0 ? randomInt(3_000_000) : randomInt(20_000))
  }))
}

const datastore = new LevelDatastore(join(folder, 'db'))
await datastore.open()
await using source = await startFixture()
await using content = await startContent({
  routing: 'off',
  exchange: fakeExchange([source.peer]),
  datastore,
  blocks: join(folder, 'blocks'),
  isDenied: () => false,
  clock: systemClock,
  random: systemRandom,
  logger: silentLogger
})
const found = await content.repo.verify()
const pinned = (await Array.fromAsync(content.pins())).map(({ cid }) => cid)
say('opened', {
  blocks: found.blocks,
  corrupt: found.corrupt.map(String),
  incomplete: found.incomplete.map(({ cid }) => cid.toString()),
  pinned: pinned.map(String)
})

async function add(): Promise<never> {
  for (;;) {
    const { cid } = await content.addFiles(files(), { private: true })
    pinned.push(cid)
    say('kept', { cid: cid.toString() })
  }
}

async function fetch(): Promise<never> {
  for (let count = 0; ; count++) {
    const { cid } = await source.content.addFiles(files())
    const output = join(folder, `copy-${count % 2}`)
    await rm(output, { recursive: true, force: true })
    // Half of what is fetched is a cache, which the collection takes while the next is fetched.
    if (count % 2 === 0) await content.get(cid.toString(), { output, force: true })
    else {
      await content.pin(cid)
      pinned.push(cid)
      say('kept', { cid: cid.toString() })
    }
    await source.content.unpin(cid)
    await source.content.gc()
  }
}

async function unpinAndCollect(): Promise<never> {
  for (;;) {
    while (pinned.length > PINS_KEPT) {
      const [cid] = pinned.splice(randomInt(pinned.length), 1)
      if (cid === undefined) break
      say('dropping', { cid: cid.toString() })
      await content.unpin(cid)
    }
    await content.gc()
    await setTimeout(randomInt(30))
  }
}

await Promise.all([add(), fetch(), unpinAndCollect()])
