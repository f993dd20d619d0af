import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, readFile, rename, symlink, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { importer } from 'ipfs-unixfs-importer'
import type { CID } from 'multiformats/cid'
import { createFilePowers } from '#content'
import type { AddResult, Content, FilePowers } from '#content'
import { createVirtualClock } from '../../support/virtual-clock.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { bytesOf, startFixture, utf8 } from './fixture.ts'

async function namesOf(content: Content, cid: CID): Promise<string[]> {
  const names: string[] = []
  for await (const entry of content.list(cid, '')) names.push(`${entry.kind} ${entry.path}`)
  return names
}

/** What the reference importer makes of the same files. */
async function referenceCid(files: { path: string; content: Uint8Array }[]): Promise<string> {
  const put = async (cid: CID): Promise<CID> => await Promise.resolve(cid)
  let last = ''
  for await (const { cid } of importer(
    files,
    { put },
    { profile: 'unixfs-v1-2025', wrapWithDirectory: true }
  )) {
    last = cid.toString()
  }
  return last
}

const skippedOf = ({ skipped }: AddResult): string[] =>
  skipped.map(({ path, reason }) => `${path}: ${reason}`).sort()

describe('adding', () => {
  it('gives a small file the CID that IPFS gives it, keeps it, and announces it', async () => {
    await using folder = await createTemporaryFolder()
    await using node = await startFixture()
    await writeFile(join(folder.path, 'hello.txt'), 'hello')
    const added = await node.content.add(join(folder.path, 'hello.txt'), { name: 'greeting' })
    assert.equal(added.cid.toString(), 'bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq')
    assert.deepEqual([added.bytes, added.files, added.isPublic], [5, 1, true])
    assert.deepEqual(added.announcement, { state: 'announced' })
    assert.deepEqual(node.provided, [added.cid.toString()])
    const pins = await Array.fromAsync(node.content.pins())
    assert.deepEqual(
      pins.map(({ cid, name, isPublic, bytes }) => [cid.toString(), name, isPublic, bytes]),
      [[added.cid.toString(), 'greeting', true, 5]]
    )
  })

  it('gives a folder the CID that the reference importer gives it', async () => {
    await using folder = await createTemporaryFolder()
    await using node = await startFixture()
    const files = [
      { path: 'b/large.bin', content: bytesOf(3 * 1024 * 1024 + 17) },
      { path: 'a.txt', content: utf8('a') },
      { path: 'b/c/empty', content: new Uint8Array() },
      { path: 'Z', content: bytesOf(1024 * 1024) },
      { path: 'ä', content: utf8('umlaut') }
    ]
    for (const { path, content } of files) {
      await mkdir(join(folder.path, path, '..'), { recursive: true })
      await writeFile(join(folder.path, path), content)
    }
    const added = await node.content.add(folder.path)
    assert.equal(added.cid.toString(), await referenceCid(files))
    assert.deepEqual(
      [added.files, added.bytes],
      [5, files.reduce((sum, file) => sum + file.content.length, 0)]
    )
    const fromEntries = await node.content.addFiles(files.reverse())
    assert.equal(fromEntries.cid.toString(), added.cid.toString())
  })

  it('shards a folder of many entries as the reference importer does', async () => {
    await using node = await startFixture()
    const files = Array.from({ length: 6000 }, (_, index) => ({
      path: `entry number ${index}`,
      content: utf8('x')
    }))
    const added = await node.content.addFiles(files)
    assert.equal(added.cid.toString(), await referenceCid(files))
    assert.equal((await namesOf(node.content, added.cid)).length, 6000)
    const one = await node.content.read(added.cid, 'entry number 4711', { bytesMax: 10 })
    assert.deepEqual(Buffer.from(one).toString(), 'x')
    await assert.rejects(node.content.read(added.cid, 'entry number 6000', { bytesMax: 10 }), {
      code: 'ERR_ENTRY_NOT_FOUND'
    })
  })

  it('leaves out dotfiles unless asked, and says so', async () => {
    await using folder = await createTemporaryFolder()
    await using node = await startFixture()
    await mkdir(join(folder.path, '.git'))
    await writeFile(join(folder.path, '.git', 'config'), 'secret')
    await writeFile(join(folder.path, '.env'), 'secret')
    await writeFile(join(folder.path, 'seen'), 'seen')
    const added = await node.content.add(folder.path)
    assert.deepEqual(await namesOf(node.content, added.cid), ['file seen'])
    assert.deepEqual(skippedOf(added), ['.env: hidden', '.git: hidden'])
    const all = await node.content.add(folder.path, { hidden: true })
    assert.deepEqual(await namesOf(node.content, all.cid), ['file .env', 'folder .git', 'file seen'])
  })

  it('follows no link out of the folder, keeps those that stay inside, and says what it left out', async () => {
    await using folder = await createTemporaryFolder()
    await using node = await startFixture()
    const outside = join(folder.path, 'outside')
    const inside = join(folder.path, 'inside')
    await mkdir(outside)
    await mkdir(join(inside, 'sub'), { recursive: true })
    await writeFile(join(outside, 'secret'), 'secret')
    await writeFile(join(inside, 'file'), 'file')
    await symlink('../outside', join(inside, 'folder-out'))
    await symlink(join(outside, 'secret'), join(inside, 'absolute'))
    await symlink('../file', join(inside, 'sub', 'up'))
    await symlink('sub/../../outside/secret', join(inside, 'crooked'))
    const added = await node.content.add(inside)
    assert.deepEqual(skippedOf(added), [
      'absolute: link-outside',
      'crooked: link-outside',
      'folder-out: link-outside'
    ])
    assert.deepEqual(await namesOf(node.content, added.cid), ['file file', 'folder sub'])
    const [link] = await Array.fromAsync(node.content.list(added.cid, 'sub'))
    assert.deepEqual([link?.kind, link?.target], ['link', '../file'])
  })

  it('adds what a link names when the user names the link', async () => {
    await using folder = await createTemporaryFolder()
    await using node = await startFixture()
    await writeFile(join(folder.path, 'file'), 'hello')
    await symlink('file', join(folder.path, 'link'))
    const added = await node.content.add(join(folder.path, 'link'))
    assert.equal(added.cid.toString(), 'bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq')
  })

  it('leaves out pipes and names that nobody could get, without waiting for a pipe', async () => {
    await using folder = await createTemporaryFolder()
    await using node = await startFixture()
    execFileSync('mkfifo', [join(folder.path, 'pipe')])
    await writeFile(join(folder.path, 'esc\u001b[2J'), 'x')
    await writeFile(Buffer.concat([Buffer.from(`${folder.path}/`), Buffer.of(0xff, 0x41)]), 'x')
    await writeFile(join(folder.path, 'good'), 'x')
    const added = await node.content.add(folder.path)
    assert.deepEqual(skippedOf(added), ['esc\\u{1b}[2J: unsafe-name', 'pipe: special', 'ÿA: unsafe-name'])
    assert.deepEqual(await namesOf(node.content, added.cid), ['file good'])
    await assert.rejects(node.content.add(join(folder.path, 'pipe')), { code: 'ERR_PATH_SPECIAL' })
  })

  it('never takes in a folder of the node itself, however it is named', async () => {
    await using folder = await createTemporaryFolder()
    const data = join(folder.path, 'home', 'elastos')
    await mkdir(join(data, 'keys'), { recursive: true })
    await writeFile(join(data, 'keys', 'device'), 'secret')
    await writeFile(join(folder.path, 'home', 'letter'), 'dear')
    await symlink(join(data, 'keys'), join(folder.path, 'shortcut'))
    await using node = await startFixture({ protectedFolders: [data] })
    const added = await node.content.add(join(folder.path, 'home'), { hidden: true })
    assert.deepEqual(await namesOf(node.content, added.cid), ['file letter'])
    assert.deepEqual(skippedOf(added), ['elastos: protected'])
    for (const path of [data, join(data, 'keys', 'device'), join(folder.path, 'shortcut')]) {
      await assert.rejects(node.content.add(path), { code: 'ERR_PATH_DENIED' })
    }
  })

  it('is not tricked into reading outside by a folder that becomes a link meanwhile', async () => {
    await using folder = await createTemporaryFolder()
    const tree = join(folder.path, 'tree')
    const outside = join(folder.path, 'outside')
    await mkdir(join(tree, 'sub'), { recursive: true })
    await mkdir(outside)
    await writeFile(join(tree, 'sub', 'file'), 'harmless')
    await writeFile(join(outside, 'file'), 'secret')
    const files = createFilePowers()
    const attacked: FilePowers = {
      ...files,
      openForRead: async (path) => {
        await rename(join(tree, 'sub'), join(tree, 'away'))
        await symlink(outside, join(tree, 'sub'))
        const reader = await files.openForRead(path)
        // Put back at once, so that a look at the path afterwards shows nothing.
        await unlink(join(tree, 'sub'))
        await rename(join(tree, 'away'), join(tree, 'sub'))
        return reader
      }
    }
    await using node = await startFixture({ files: attacked })
    await assert.rejects(node.content.add(tree), { code: 'ERR_PATH_CHANGED' })
    assert.deepEqual(await Array.fromAsync(node.content.pins()), [])
  })

  it('refuses with a code what is missing, unreadable, or no path', async () => {
    await using folder = await createTemporaryFolder()
    await using node = await startFixture()
    await assert.rejects(node.content.add(join(folder.path, 'none')), { code: 'ERR_PATH_NOT_FOUND' })
    await assert.rejects(node.content.add('relative'), { code: 'ERR_PATH_INVALID' })
    await assert.rejects(node.content.add(`${folder.path}\0`), { code: 'ERR_PATH_INVALID' })
    for (const path of ['../x', '/x', 'a//b', '', 'a/./b', 'con', 'x\u001b']) {
      await assert.rejects(node.content.addFiles([{ path, content: utf8('') }]), { code: 'ERR_PATH_INVALID' })
    }
    const twice = ['a', 'a'].map((path) => ({ path, content: utf8('') }))
    await assert.rejects(node.content.addFiles(twice), { code: 'ERR_PATH_INVALID' })
    const both = ['a', 'a/b'].map((path) => ({ path, content: utf8('') }))
    await assert.rejects(node.content.addFiles(both), { code: 'ERR_PATH_INVALID' })
    await assert.rejects(node.content.addFiles(both.reverse()), { code: 'ERR_PATH_INVALID' })
  })

  it('neither announces nor serves what is private, and never narrows what is public already', async () => {
    await using node = await startFixture()
    const files = [{ path: 'a', content: utf8('private thoughts') }]
    const added = await node.content.addFiles(files, { private: true })
    assert.equal(added.isPublic, false)
    assert.deepEqual(added.announcement, { state: 'off' })
    assert.deepEqual(node.provided, [])
    assert.equal(await node.content.mayServe(added.cid, 'anybody'), false)
    await assert.rejects(node.content.provideNow(added.cid), { code: 'ERR_PIN_NOT_FOUND' })
    assert.equal((await node.content.addFiles(files)).isPublic, true)
    assert.equal(await node.content.mayServe(added.cid, 'anybody'), true)
    assert.equal((await node.content.addFiles(files, { private: true })).isPublic, true)
  })

  it('succeeds though nobody can be told, says why, and tells later', async () => {
    const clock = createVirtualClock()
    let isOnline = false
    const provided: string[] = []
    await using node = await startFixture({
      clock,
      routing: {
        provide: async (cid) => {
          if (!isOnline) throw new Error('no peers yet')
          provided.push(cid.toString())
          await Promise.resolve()
        },
        findProviders: async function* () {
          // Nobody.
        }
      }
    })
    const added = await node.content.addFiles([{ path: 'a', content: utf8('a') }])
    assert.deepEqual(added.announcement, { state: 'pending', reason: 'no peers yet' })
    assert.deepEqual(node.content.status().announcements, { announced: 0, waiting: 1 })
    isOnline = true
    await clock.advance(10_000)
    assert.deepEqual(provided, [added.cid.toString()])
    assert.deepEqual(node.content.status().announcements, { announced: 1, waiting: 0 })
  })

  it('refuses what is on the deny list and keeps nothing of it', async () => {
    await using node = await startFixture({
      isDenied: (cid) => cid.toString() === 'bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq'
    })
    await using folder = await createTemporaryFolder()
    await writeFile(join(folder.path, 'file'), 'hello')
    await assert.rejects(node.content.add(join(folder.path, 'file')), { code: 'ERR_CONTENT_DENIED' })
    await assert.rejects(node.content.add(folder.path), { code: 'ERR_CONTENT_DENIED' })
    assert.deepEqual(await Array.fromAsync(node.content.pins()), [])
    assert.deepEqual(node.provided, [])
  })

  it('says that the disk is full, keeps what was there, and works again', async () => {
    await using folder = await createTemporaryFolder()
    const files = createFilePowers()
    let isFull = false
    const small: FilePowers = {
      ...files,
      openStored: async (path, how) => {
        const file = await files.openStored(path, how)
        return {
          ...file,
          writeAt: async (parts, position) => {
            if (isFull) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
            await file.writeAt(parts, position)
          }
        }
      }
    }
    await using node = await startFixture({ files: small, blocks: join(folder.path, 'blocks') })
    const first = await node.content.addFiles([{ path: 'a', content: utf8('first') }])
    await writeFile(join(folder.path, 'second'), bytesOf(5_000_000))
    isFull = true
    await assert.rejects(node.content.add(join(folder.path, 'second')), { code: 'ERR_DISK_FULL' })
    assert.equal((await Array.fromAsync(node.content.pins())).length, 1)
    assert.equal(Buffer.from(await node.content.read(first.cid, 'a', { bytesMax: 10 })).toString(), 'first')
    isFull = false
    const second = await node.content.add(join(folder.path, 'second'))
    const bytes = await node.content.read(second.cid, '', { bytesMax: 10_000_000 })
    assert.deepEqual(Buffer.from(bytes), await readFile(join(folder.path, 'second')))
  })

  it('stops when told and reports progress until then', async () => {
    await using folder = await createTemporaryFolder()
    await using node = await startFixture()
    await writeFile(join(folder.path, 'file'), bytesOf(20 * 1024 * 1024))
    const controller = new AbortController()
    const seen: number[] = []
    const adding = node.content.add(join(folder.path, 'file'), {
      signal: controller.signal,
      onProgress: ({ bytes }) => {
        seen.push(bytes)
        if (bytes >= 5 * 1024 * 1024) controller.abort(new Error('enough'))
      }
    })
    await assert.rejects(adding, { message: 'enough' })
    assert.ok(Math.max(...seen) < 8 * 1024 * 1024)
    assert.deepEqual(await Array.fromAsync(node.content.pins()), [])
  })
})
