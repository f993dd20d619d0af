import assert from 'node:assert/strict'
import type { Caller, ProviderLab } from '../support/provider-lab.ts'

/** What callers of the suite need. */
export const LOCALHOST_CEILING = [{ command: 'localhost/*', resource: 'localhost://*' }] as const

const base64 = (text: string): string => Buffer.from(text).toString('base64')

async function write(caller: Caller, path: string, text: string): Promise<void> {
  await caller.call('localhost/write', { path, data: base64(text) })
}

async function read(caller: Caller, path: string): Promise<string> {
  const { data, isEnd } = await caller.call('localhost/read', { path })
  assert.equal(isEnd, true)
  return Buffer.from(String(data), 'base64').toString()
}

/** Every provider of `localhost@1` passes this. */
export function localhostContract(name: string, open: () => Promise<ProviderLab>): void {
  describe(`localhost@1: ${name}`, function () {
    this.timeout(120_000)
    let lab: ProviderLab
    let caller: Caller
    before(async () => {
      lab = await open()
      caller = lab.caller
    })
    after(async () => {
      await lab[Symbol.asyncDispose]()
    })

    it('reads what was written, whole and in pieces', async () => {
      await write(caller, 'a.txt', 'hello, world')
      assert.equal(await read(caller, 'a.txt'), 'hello, world')
      const piece = await caller.call('localhost/read', { path: 'a.txt', offset: 7, length: 3 })
      assert.deepEqual(piece, { data: base64('wor'), isEnd: false })
      const end = await caller.call('localhost/read', { path: 'a.txt', offset: 100 })
      assert.deepEqual(end, { data: '', isEnd: true })
    })

    it('replaces a file, or writes into it', async () => {
      await write(caller, 'b.txt', 'a long first content')
      await write(caller, 'b.txt', 'short')
      assert.equal(await read(caller, 'b.txt'), 'short')
      await caller.call('localhost/write', { path: 'b.txt', data: base64('OR'), offset: 2 })
      assert.equal(await read(caller, 'b.txt'), 'shORt')
      await caller.call('localhost/write', { path: 'b.txt', data: base64('x'), offset: 7 })
      assert.equal(await read(caller, 'b.txt'), 'shORt\0\0x')
      await write(caller, 'b.txt', '')
      assert.equal(await read(caller, 'b.txt'), '')
    })

    it('keeps files in folders, and says what is there', async () => {
      await caller.call('localhost/mkdir', { path: 'notes' })
      await write(caller, 'notes/ä.txt', 'one')
      const stat = await caller.call('localhost/stat', { path: 'notes/ä.txt' })
      assert.deepEqual({ ...stat, modifiedAtMs: 0 }, { type: 'file', bytes: 3, modifiedAtMs: 0 })
      const folder = await caller.call('localhost/stat', { path: 'notes' })
      assert.equal(folder['type'], 'folder')
      assert.equal((await caller.call('localhost/stat', { path: '' }))['type'], 'folder')
      const { entries, hasMore } = await caller.call('localhost/list', { path: 'notes' })
      assert.equal(hasMore, false)
      assert.deepEqual(
        (entries as { name: string }[]).map((entry) => entry.name),
        ['ä.txt']
      )
    })

    it('lists large folders piece by piece, in the order of names', async () => {
      await caller.call('localhost/mkdir', { path: 'many' })
      for (let at = 0; at < 260; at += 10) {
        const numbers = Array.from({ length: 10 }, (_, index) => at + index)
        await Promise.all(numbers.map((number) => write(caller, `many/${number}`, 'x')))
      }
      const names: string[] = []
      for (let hasMore = true; hasMore;) {
        const after = names.at(-1)
        const piece = await caller.call('localhost/list', {
          path: 'many',
          ...(after === undefined ? {} : { after })
        })
        names.push(...(piece['entries'] as { name: string }[]).map((entry) => entry.name))
        hasMore = piece['hasMore'] === true
      }
      assert.deepEqual(names, Array.from({ length: 260 }, (_, at) => String(at)).sort())
    })

    it('deletes files, empty folders, and full ones only when told', async () => {
      await caller.call('localhost/mkdir', { path: 'old' })
      await caller.call('localhost/mkdir', { path: 'old/deep' })
      await write(caller, 'old/deep/a', 'x')
      await assert.rejects(caller.call('localhost/delete', { path: 'old' }), { code: 'ERR_FILE_NOT_EMPTY' })
      await caller.call('localhost/delete', { path: 'old', isRecursive: true })
      await assert.rejects(caller.call('localhost/stat', { path: 'old' }), { code: 'ERR_FILE_NOT_FOUND' })
      await caller.call('localhost/delete', { path: 'a.txt' })
      await assert.rejects(caller.call('localhost/read', { path: 'a.txt' }), { code: 'ERR_FILE_NOT_FOUND' })
    })

    it('refuses what makes no sense, each with its code', async () => {
      await write(caller, 'file', 'x')
      await assert.rejects(caller.call('localhost/mkdir', { path: 'file' }), { code: 'ERR_FILE_EXISTS' })
      await assert.rejects(caller.call('localhost/mkdir', { path: 'no/where' }), {
        code: 'ERR_FILE_NOT_FOUND'
      })
      await assert.rejects(caller.call('localhost/read', { path: 'notes' }), { code: 'ERR_FILE_IS_FOLDER' })
      await assert.rejects(write(caller, 'notes', 'x'), { code: 'ERR_FILE_IS_FOLDER' })
      await assert.rejects(caller.call('localhost/list', { path: 'file' }), { code: 'ERR_FILE_NOT_FOLDER' })
      await assert.rejects(write(caller, 'file/below', 'x'), { code: 'ERR_FILE_NOT_FOLDER' })
      await assert.rejects(caller.call('localhost/delete', { path: 'nothing' }), {
        code: 'ERR_FILE_NOT_FOUND'
      })
    })

    it('keeps the files of one capsule from another', async () => {
      await write(caller, 'secret', 'mine')
      await assert.rejects(lab.other.call('localhost/read', { path: 'secret' }), {
        code: 'ERR_FILE_NOT_FOUND'
      })
      await write(lab.other, 'secret', 'theirs')
      assert.equal(await read(caller, 'secret'), 'mine')
      const { entries } = await lab.other.call('localhost/list', { path: '' })
      assert.deepEqual(
        (entries as { name: string }[]).map((entry) => entry.name),
        ['secret']
      )
    })
  })
}
