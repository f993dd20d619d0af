/** Text of strangers and of careless people: lines without end, binary, and what would steer a terminal. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createCliHome, type CliHome, type CliResult } from '../support/cli.ts'
import { assertRefused, startCliNode, type CliNode } from '../support/cli-node.ts'
import { needs } from '../support/requirements.ts'

/** Clears the screen, sets the title, moves the cursor, C1 CSI, reverses what follows. */
const EVIL = '\u001b[2J\u001b]0;pwned\u0007\u009b31m\rover\u202etxt.exe'
const DID = 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'

describe('bad text', function () {
  this.timeout(60_000)
  let home: CliHome
  let node: CliNode
  before(async () => {
    home = await createCliHome()
    node = await startCliNode(home, home.dataFolder)
  })
  after(async () => {
    await node.stop()
    await home[Symbol.asyncDispose]()
  })
  afterEach(async () => {
    await node.answers()
  })

  describe('in a chat', () => {
    const chat = async (input: string | Buffer): Promise<CliResult> =>
      await node.run(['chat', 'pond', '--nick', 'ada'], { input: input as string })

    it('a line of a megabyte ends the visit with a code', async () => {
      assertRefused(await chat('x'.repeat(1024 * 1024) + '\n'), 'ERR_USAGE')
    })

    it('a text longer than a message is refused, and the talk goes on', async () => {
      await using visit = await home.start(['chat', 'pond', '--nick', 'ada', '--json', '--no-start'])
      await visit.event('here')
      visit.write('x'.repeat(5_000) + '\n')
      assert.equal((await visit.event('refused'))['code'], 'ERR_TEXT_TOO_LONG')
      visit.write(`${EVIL}\n`)
      await visit.stdout.line((line) => line.includes('"ERR_TEXT_INVALID"'))
      visit.write('a quiet word\n')
      await visit.stdout.line((line) => line.includes('"text":"a quiet word"'))
      assert.equal((await visit.end({ signal: 'SIGINT' })).code, 0)
    })

    it('binary ends the visit with a code', async () => {
      assertRefused(await chat(Buffer.from([0x00, 0xff, 0xfe, 0x80, 0x0a])), 'ERR_USAGE')
    })

    it('plain lines say the same in words, and the talk goes on', async () => {
      await using visit = await home.start(['chat', 'brook', '--nick', 'ada', '--no-start'])
      const { stdout, stderr } = visit
      visit.write(`${'x'.repeat(1024 * 1024)}\n`)
      await stderr.match(/ERR_TEXT_TOO_LONG.*skipped/)
      visit.write(`${'x'.repeat(5_000)}\n`)
      await stderr.match(/ERR_TEXT_TOO_LONG.*got 5000/)
      visit.write(`${EVIL.replace('\r', '')}\n`)
      await stderr.match(/ERR_TEXT_INVALID/)
      visit.write('/who\n')
      await stderr.match(/ada/, { from: stderr.text().lastIndexOf('ERR_TEXT_INVALID') })
      assert.equal((await visit.end({ signal: 'SIGINT' })).code, 0)
      assertHarmless(stdout.text() + stderr.text())
    })

    it('a nick or room that steers a terminal is refused', async () => {
      assertRefused(await node.run(['chat', 'pond', '--nick', EVIL]), 'ERR_NICK_INVALID')
      assertRefused(await node.run(['chat', EVIL, '--nick', 'ada']), 'ERR_ROOM_NAME_INVALID')
      assertRefused(await node.run(['chat', 'x'.repeat(2000), '--nick', 'ada']), 'ERR_CONTROL_MESSAGE')
    })
  })

  describe('on a terminal', () => {
    before(async function () {
      await needs(this, 'terminal')
    })

    /** What a person's terminal receives from a command. */
    const shown = async (args: readonly string[]): Promise<string> => {
      await using terminal = await home.terminal([...args, '--no-start'])
      await terminal.ended
      return terminal.stdout.text()
    }

    it('names of files and pins show, and do nothing', async () => {
      const folder = join(home.folder, 'names')
      await mkdir(folder)
      await writeFile(join(folder, EVIL), 'x')
      await writeFile(join(folder, 'plain'), 'x')
      const added = await node.succeed(['add', folder, '--name', EVIL])
      const cid = String(added.json?.['cid'])
      const listing = await shown(['ls', cid])
      assertHarmless(listing)
      assert.match(listing, /plain/)
      const pins = await shown(['pin', 'ls'])
      assertHarmless(pins)
      assert.match(pins, /pwned/)
      for (const args of [
        ['get', `${cid}/${EVIL}x`],
        ['add', join(folder, `${EVIL}x`)],
        ['node', EVIL]
      ]) {
        const text = await shown(args)
        assertHarmless(text)
        assert.match(text, /\(ERR_/)
      }
      for (const args of [
        ['ls', cid],
        ['pin', 'ls'],
        ['node', 'logs']
      ]) {
        const { stdout } = await node.run(args)
        assertHarmless(stdout)
      }
      const { json } = await node.run(['pin', 'ls'])
      assert.equal((json?.['pins'] as { name: string }[])[0]?.name, EVIL, 'JSON lost what the name was')
    })

    it('petnames and capsule names are refused, and the refusal shows them harmlessly', async () => {
      assertRefused(await node.run(['contact', 'add', EVIL, DID]), 'ERR_CONTACT_INVALID')
      assertRefused(await node.run(['capsule', 'new', EVIL]), 'ERR_MANIFEST_INVALID', 'ERR_USAGE')
      assertRefused(await node.run(['capsule', 'run', `${EVIL}/hello`]), 'ERR_CONTACT_UNKNOWN')
      assertRefused(await node.run(['capsule', 'run', `${DID}/${EVIL}`]), 'ERR_TARGET_INVALID')
      for (const args of [
        ['contact', 'add', EVIL, DID],
        ['contact', 'remove', EVIL],
        ['capsule', 'new', EVIL],
        ['capsule', 'run', `${EVIL}/hello`],
        ['deny', 'add', EVIL],
        ['name', 'resolve', EVIL],
        ['node', 'connect', EVIL]
      ]) {
        const text = await shown(args)
        assertHarmless(text)
        assert.match(text, /\(ERR_/, args.join(' '))
      }
    })
  })
})

/** Fails when text would make a terminal do anything but show it; the progress line's own erasing is ours. */
function assertHarmless(text: string): void {
  const rest = text.replaceAll('\r\u001b[K', '').replaceAll('\r\n', '\n')
  // eslint-disable-next-line no-control-regex -- these are what is looked for
  assert.doesNotMatch(rest, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/)
}
