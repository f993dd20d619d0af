/** Identity as its owner handles it: words shown once, exports, recovery, passphrases; and what a running node notices. */
import assert from 'node:assert/strict'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createCliHome, type CliHome, type CliResult } from '../support/cli.ts'
import { assertRefused, assertSucceeded, startCliNode } from '../support/cli-node.ts'
import { EMPTY_MODULE } from '../support/empty-module.ts'
import type { Terminal } from '../support/pty.ts'
import { needs } from '../support/requirements.ts'

const ALTERNATE_SCREEN = '\u001b[?1049h'
const MAIN_SCREEN = '\u001b[?1049l'
const SECRET = 'correct horse battery staple'

describe('identity', function () {
  this.timeout(60_000)
  let home: CliHome
  before(async function () {
    await needs(this, 'terminal')
  })
  beforeEach(async () => {
    home = await createCliHome()
  })
  afterEach(async () => {
    await home[Symbol.asyncDispose]()
  })

  const id = async (
    args: readonly string[],
    o: { input?: string; env?: NodeJS.ProcessEnv } = {}
  ): Promise<CliResult> => await home.run(['id', ...args, '--json'], o)
  const identity = async (data: readonly string[] = []): Promise<Record<string, unknown>> =>
    assertSucceeded(await id(['show', ...data]), ['id', 'show']).json ?? {}
  const keyFile = (): string => join(home.dataFolder, 'keys', 'identity.json')

  describe('create and show', () => {
    it('makes one identity, readable by its owner alone, and never a second over it', async () => {
      assertRefused(await id(['show']), 'ERR_KEYSTORE_MISSING')
      const made = assertSucceeded(await id(['create']), ['id', 'create']).json ?? {}
      assert.equal((await stat(keyFile())).mode & 0o777, 0o600)
      const before = await readFile(keyFile())
      assertRefused(await id(['create']), 'ERR_KEYSTORE_EXISTS')
      assert.deepEqual(await readFile(keyFile()), before)
      assert.deepEqual(await identity(), made)
      const field = await home.run(['id', 'show', '--field', 'personDid'])
      assert.equal(field.stdout, `${String(made['personDid'])}\n`)
      assertRefused(await id(['show', '--field', 'secret']), 'ERR_USAGE')
      assert.ok(!JSON.stringify(made).includes('plain'), 'a secret was shown')
    })

    it('the first start of a node makes one and reminds of the words, until they are written down', async () => {
      await using terminal = await home.terminal(['node', 'start', '--no-mdns'])
      await terminal.stdout.match(/'elastos id words'/)
      const status = await home.run(['node', 'status', '--json'])
      assert.equal(status.json?.['wordsPending'], true)
      const { words } = await writeDownWords('y')
      assert.equal(words.length, 24)
      const after = await home.run(['node', 'status', '--json'])
      assert.equal(after.json?.['wordsPending'], false, 'the running node did not notice')
      terminal.control('c')
      assert.equal((await terminal.ended).code, 0)
    })
  })

  /** Reads the words off the screen, as a person does, up to the first question. */
  const readWords = async (terminal: Terminal): Promise<string[]> => {
    await terminal.stdout.match(/Press Enter/)
    const [, table = ''] = terminal.stdout.text().split('confirmed them.')
    const shown = [...table.matchAll(/\b(\d{1,2}) ([a-z]+)\b/g)]
    const words = Array.from(
      { length: 24 },
      (_, index) => shown.find(([, n]) => Number(n) === index + 1)?.[2] ?? ''
    )
    assert.ok(!words.includes(''), terminal.stdout.text())
    return words
  }

  /** Goes through `id words`; `change` may get an answer wrong. */
  const writeDownWords = async (
    keep: string,
    change: (word: string) => string = (word) => word
  ): Promise<{ words: string[]; code: number | null; text: string }> => {
    await using terminal = await home.terminal(['id', 'words'])
    const words = await readWords(terminal)
    terminal.type('')
    let from = 0
    for (let count = 0; count < 3; count++) {
      const asked = await terminal.stdout.match(/Word (\d+): /, { from })
      from += asked.index + asked[0].length
      terminal.type(change(words[Number(asked[1]) - 1] ?? ''))
    }
    const asked = terminal.stdout.match(/Keep the key[^]*\? \[Y\/n\] /)
    if ((await Promise.race([asked.catch(() => undefined), terminal.ended])) !== undefined)
      terminal.type(keep)
    const { code } = await terminal.ended
    return { words, code, text: terminal.stdout.text() }
  }

  describe('words', () => {
    it('are for a terminal only', async () => {
      await id(['create'])
      assertRefused(await id(['words']), 'ERR_TERMINAL_NEEDED')
    })

    it('a wrong answer changes nothing; the right ones forget them; nothing of them stays on the screen', async () => {
      const { json: made } = await id(['create'])
      const wrong = await writeDownWords('y', (word) => `${word}x`)
      assert.equal(wrong.code, 2)
      assert.equal((await identity())['root'], 'open')

      const right = await writeDownWords('y')
      assert.equal(right.code, 0, right.text)
      assert.deepEqual(right.words, wrong.words, 'the words changed between two showings')
      for (const { text } of [wrong, right]) {
        const outside =
          text.slice(0, text.indexOf(ALTERNATE_SCREEN)) + text.slice(text.lastIndexOf(MAIN_SCREEN))
        assert.doesNotMatch(outside, /Word \d+|\b\d{1,2} [a-z]+/)
      }
      const after = await identity()
      assert.deepEqual([after['root'], after['publishing'], after['device']], ['absent', 'open', 'open'])
      assert.equal(after['personDid'], made?.['personDid'])
      await using again = await home.terminal(['id', 'words'])
      await again.stdout.match(/ERR_KEYSTORE_ROOT_ABSENT/)
      await again.ended

      const there = join(home.folder, 'other-device')
      const recovered = await id(['recover', '--data', there], {
        input: `${right.words.join('  ').toUpperCase()}\n`
      })
      assertSucceeded(recovered, ['id', 'recover'])
      assert.equal(recovered.json?.['personDid'], made?.['personDid'])
      assert.notEqual(recovered.json?.['deviceDid'], made?.['deviceDid'])
      assert.equal(recovered.json?.['root'], 'absent')
    })

    it('Ctrl-C while they are shown changes nothing and takes them off the screen', async () => {
      await id(['create'])
      await using terminal = await home.terminal(['id', 'words'])
      await readWords(terminal)
      terminal.control('c')
      assert.equal((await terminal.ended).code, 130)
      assert.ok(terminal.stdout.text().includes(MAIN_SCREEN))
      assert.equal((await identity())['root'], 'open')
    })

    it('a node that runs publishes no more once the key was not kept', async () => {
      await using node = await startCliNode(home, home.dataFolder)
      const folder = await makeCapsule(home)
      const before = await node.run(['capsule', 'publish', folder])
      assert.ok(!before.stderr.includes('ERR_PUBLISHER_KEY_MISSING'), before.stderr)
      const { code, text } = await writeDownWords('n')
      assert.equal(code, 0, text)
      assertRefused(await node.run(['capsule', 'publish', folder]), 'ERR_PUBLISHER_KEY_MISSING')
      await node.stop()
      assert.equal((await identity())['publishing'], 'absent')
    })
  })

  describe('export and recover', () => {
    it('writes a file of its owner alone, never over another and never to a stream', async () => {
      await id(['create'])
      const file = join(home.folder, 'me.elastos')
      assertSucceeded(await id(['export', file]), ['id', 'export'])
      assert.equal((await stat(file)).mode & 0o777, 0o600)
      const before = await readFile(file)
      assertRefused(await id(['export', file]), 'ERR_FILE_EXISTS')
      assert.deepEqual(await readFile(file), before)
      for (const stream of ['-', '/dev/stdout', '/proc/self/fd/1']) {
        const refusal = await id(['export', stream])
        assertRefused(refusal, 'ERR_EXPORT_TARGET')
        assert.equal(refusal.stdout, '')
      }
    })

    it('brings the same person back elsewhere, never over an identity', async () => {
      const { json: made } = await id(['create'])
      const file = join(home.folder, 'me.elastos')
      await id(['export', file])
      const there = ['--data', join(home.folder, 'there')]
      const recovered = assertSucceeded(await id(['recover', '--from', 'me.elastos', ...there]), ['recover'])
      assert.equal(recovered.json?.['personDid'], made?.['personDid'])
      assert.notEqual(recovered.json?.['deviceDid'], made?.['deviceDid'])
      assertRefused(await id(['recover', '--from', file, ...there]), 'ERR_KEYSTORE_EXISTS')
      assertRefused(await id(['recover', ...there], { input: 'abandon '.repeat(24) }), 'ERR_KEYSTORE_EXISTS')
      const elsewhere = ['--data', join(home.folder, 'elsewhere')]
      assertRefused(await id(['recover', '--from', 'nothing', ...elsewhere]), 'ERR_FILE_MISSING')
      assertRefused(await id(['recover', '--from', keyFile(), ...elsewhere]), 'ERR_EXPORT_INVALID')
      assertRefused(
        await id(['recover', ...elsewhere], { input: 'abandon '.repeat(24) }),
        'ERR_WORDS_CHECKSUM'
      )
      assertRefused(await id(['recover', ...elsewhere], { input: 'abandon abandon\n' }), 'ERR_WORDS_COUNT')
      assertRefused(await id(['recover', ...elsewhere], { input: '' }), 'ERR_USAGE')
    })

    it('an export under a passphrase needs it', async () => {
      const { json: made } = await id(['create'])
      await using terminal = await home.terminal(['id', 'export', 'me.elastos'])
      await terminal.stdout.match(/Passphrase for the file/)
      terminal.type(SECRET)
      assert.equal((await terminal.ended).code, 0)
      assert.ok(!terminal.stdout.text().includes(SECRET), 'the passphrase was echoed')
      const recover = ['recover', '--from', 'me.elastos', '--data', join(home.folder, 'there')]
      assertRefused(await id(recover), 'ERR_TERMINAL_NEEDED')
      assertRefused(await id(recover, { env: { ELASTOS_PASSPHRASE: 'wrong' } }), 'ERR_PASSPHRASE_WRONG')
      const { json } = assertSucceeded(await id(recover, { env: { ELASTOS_PASSPHRASE: SECRET } }), recover)
      assert.equal(json?.['personDid'], made?.['personDid'])
    })
  })

  describe('lock and unlock', () => {
    const withPassphrase = { env: { ELASTOS_PASSPHRASE: SECRET } }

    it('locks what publishes and leaves the node free to start; the passphrase opens it for one run', async () => {
      await id(['create'])
      const folder = await makeCapsule(home)
      assertRefused(await id(['lock']), 'ERR_TERMINAL_NEEDED')
      const locked = assertSucceeded(await id(['lock'], withPassphrase), ['lock']).json ?? {}
      assert.deepEqual([locked['device'], locked['root'], locked['publishing']], ['open', 'locked', 'locked'])
      {
        await using node = await startCliNode(home, home.dataFolder)
        assertRefused(await node.run(['capsule', 'publish', folder]), 'ERR_PUBLISHER_KEY_MISSING')
        await node.stop()
      }
      {
        await using node = await startCliNode(home, home.dataFolder, withPassphrase)
        const { stderr } = await node.run(['capsule', 'publish', folder])
        assert.ok(!stderr.includes('ERR_PUBLISHER_KEY_MISSING'), stderr)
        await node.stop()
      }
      const wrong = { env: { ELASTOS_PASSPHRASE: 'wrong' } }
      assertRefused(await home.run(['node', 'start', '--json'], wrong), 'ERR_PASSPHRASE_WRONG')
      assertRefused(await id(['unlock'], wrong), 'ERR_PASSPHRASE_WRONG')
      assertSucceeded(await id(['unlock'], withPassphrase), ['unlock'])
      assert.equal((await identity())['publishing'], 'open')
    })

    it('a node that runs publishes no more once its keys were locked, and again once they are unlocked', async () => {
      const folder = await makeCapsule(home)
      await using node = await startCliNode(home, home.dataFolder)
      assertSucceeded(await id(['lock'], withPassphrase), ['lock'])
      assertRefused(await node.run(['capsule', 'publish', folder]), 'ERR_PUBLISHER_KEY_MISSING')
      assertSucceeded(await id(['unlock'], withPassphrase), ['unlock'])
      const { stderr } = await node.run(['capsule', 'publish', folder])
      assert.ok(!stderr.includes('ERR_PUBLISHER_KEY_MISSING'), stderr)
      await node.stop()
    })

    it('--device: a node does not start without the passphrase, and says how it would', async () => {
      await id(['create'])
      const made = await identity()
      assertSucceeded(await id(['lock', '--device'], withPassphrase), ['lock'])
      assert.equal((await identity())['device'], 'locked')
      for (const flags of [[], ['--detach']]) {
        const refusal = await home.run(['node', 'start', '--json', ...flags])
        assert.match(assertRefused(refusal, 'ERR_KEYSTORE_LOCKED').message, /ELASTOS_PASSPHRASE/)
      }
      const started = await home.run(['node', 'start', '--detach', '--json'], withPassphrase)
      assert.equal(assertSucceeded(started, ['start']).json?.['did'], made['deviceDid'])
      assertSucceeded(await home.run(['node', 'stop']), ['stop'])

      await using terminal = await home.terminal(['node', 'start', '--no-mdns'])
      await terminal.stdout.match(/Passphrase of the keys: /)
      terminal.type(SECRET)
      await terminal.stdout.match(/listens on/)
      terminal.control('c')
      assert.equal((await terminal.ended).code, 0)
      assertSucceeded(await id(['unlock'], withPassphrase), ['unlock'])
      await using node = await startCliNode(home, home.dataFolder)
      await node.stop()
    })

    it('on a terminal the new passphrase is asked twice and never shown', async () => {
      await id(['create'])
      const lock = async (again: string): Promise<string> => {
        await using terminal = await home.terminal(['id', 'lock'])
        await terminal.stdout.match(/New passphrase: /)
        terminal.type(SECRET)
        await terminal.stdout.match(/Once more: /)
        terminal.type(again)
        await terminal.ended
        return terminal.stdout.text()
      }
      assert.match(await lock('something else'), /ERR_USAGE/)
      assert.equal((await identity())['root'], 'open')
      const text = await lock(SECRET)
      assert.equal((await identity())['root'], 'locked')
      assert.ok(!text.includes(SECRET), 'the passphrase was echoed')
    })
  })
})

/** A capsule that is built already, so that nothing needs to be compiled. */
async function makeCapsule(home: CliHome): Promise<string> {
  const folder = join(home.folder, 'tiny')
  const manifest = { manifest: 2, name: 'tiny', version: '1.0.0', substrate: 'wasm', entry: 'main.wasm' }
  await mkdir(folder)
  await writeFile(join(folder, 'capsule.json'), JSON.stringify(manifest))
  await writeFile(join(folder, 'main.wasm'), EMPTY_MODULE)
  return folder
}
