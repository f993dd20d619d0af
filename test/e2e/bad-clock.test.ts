/** A device whose clock is wrong by a day: content still moves, chat says so, a bootstrap record is refused by code. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createCliHome, ROOT, type CliHome } from '../support/cli.ts'
import { assertRefused, startCliNode, startCliSeed, type CliNode } from '../support/cli-node.ts'

const DAY_MS = 86_400_000
/** A record is valid for a day, and an hour is granted to each clock: this is beyond both. */
const TOLERANCE_MS = 2 * 3_600_000

describe('a clock that is wrong by a day', function () {
  this.timeout(60_000)
  let home: CliHome
  let seed: CliNode
  let right: CliNode
  const inHome = (name: string): string => join(home.folder, name)

  before(async () => {
    home = await createCliHome()
    seed = await startCliSeed(home, inHome('seed'))
    right = await startCliNode(home, inHome('right'), {
      flags: ['--bootstrap', String(seed.status['bootstrapUrl'])]
    })
  })
  after(async () => {
    await right.stop()
    await seed.stop()
    assert.deepEqual(await home.running(), [])
    await home[Symbol.asyncDispose]()
  })

  for (const [what, sign, code] of [
    ['ahead', 1, 'ERR_RECORD_EXPIRED'],
    ['behind', -1, 'ERR_RECORD_EARLY']
  ] as const) {
    it(`${what}: refuses the bootstrap record by code, moves content both ways, and chat says so`, async () => {
      const data = inHome(what)
      const start = [
        'node',
        'start',
        '--json',
        '--data',
        data,
        '--bootstrap',
        String(seed.status['bootstrapUrl'])
      ]
      const refusal = await home.run(start, { env: shiftedClock(sign * (DAY_MS + TOLERANCE_MS)) })
      assert.match(assertRefused(refusal, code).message, /clock/)

      const flags = ['--bootstrap', seed.status.addresses[0] ?? '']
      await using node = await startCliNode(home, data, { env: shiftedClock(sign * DAY_MS), flags })
      await exchange(right, node, `from right to ${what}`)
      await exchange(node, right, `from ${what} to right`)
      await hearOfTheClock(node, what)
      await node.answers()
      await node.stop()
    })
  }

  const exchange = async (from: CliNode, to: CliNode, text: string): Promise<void> => {
    const file = inHome('file')
    await writeFile(file, text)
    const { json } = await from.succeed(['add', file])
    const copy = inHome(`copy of ${text}`)
    await to.succeed(['get', String(json?.['cid']), '-o', copy])
    assert.equal(await readFile(copy, 'utf8'), text)
  }

  /** Both are told, each in words, and hear each other all the same. */
  const hearOfTheClock = async (wrong: CliNode, what: string): Promise<void> => {
    const chat = async (node: CliNode, nick: string): ReturnType<CliHome['start']> =>
      await home.start(['chat', 'clocks', '--nick', nick, '--no-start', '--data', node.status.dataFolder])
    await using ada = await chat(right, 'ada')
    await ada.stderr.match(/you are in clocks/)
    await using bob = await chat(wrong, 'bob')
    const reversed = what === 'ahead' ? 'behind' : 'ahead'
    await bob.stderr.match(new RegExp(`clock.*24 h ${reversed}`))
    bob.write('what time is it?\n')
    await ada.stdout.match(new RegExp(`what time is it\\? .*clock is 24 h ${what}`))
    ada.write('not yours\n')
    await bob.stdout.match(new RegExp(`not yours .*clock is 24 h ${reversed}`))
    for (const visit of [ada, bob]) assert.equal((await visit.end({ signal: 'SIGINT' })).code, 0)
  }
})

function shiftedClock(shiftMs: number): NodeJS.ProcessEnv {
  const preload = pathToFileURL(join(ROOT, 'test', 'support', 'shifted-clock.ts')).href
  return { NODE_OPTIONS: `--import=${preload}`, ELASTOS_TEST_SHIFT_MS: String(shiftMs) }
}
