import assert from 'node:assert/strict'
import { FileError, type CapsuleFiles } from '#capsule-host'
import { ERRNO } from '../../../capsule-host/guest/wasi/errno.ts'
import { ALL, BUFFER, createWasiCaller, DATA, OPEN, READING, RESULT } from '../../support/wasi-caller.ts'
import { memoryFiles, readWhole, writeWhole } from '../../support/wasi-world.ts'

const TYPE = { folder: 3, file: 4 }

describe('WASI: the preopened folder', () => {
  it('is there behind the channel, which does not end the search for it', async () => {
    const program = createWasiCaller({ files: await memoryFiles() })
    assert.equal(await program.call('fd_prestat_get', 3, RESULT), ERRNO.success)
    assert.notEqual(program.view.getUint8(RESULT), 0, 'the channel is no folder')
    assert.equal(await program.call('fd_prestat_get', DATA, RESULT), ERRNO.success)
    assert.deepEqual([program.view.getUint8(RESULT), program.view.getUint32(4, true)], [0, 5])
    assert.equal(await program.call('fd_prestat_dir_name', DATA, BUFFER, 5), ERRNO.success)
    assert.equal(Buffer.from(program.bytes.subarray(BUFFER, BUFFER + 5)).toString(), '/data')
    assert.equal(await program.call('fd_prestat_dir_name', DATA, BUFFER, 4), ERRNO.nametoolong)
    assert.equal(await program.call('fd_prestat_get', DATA + 1, RESULT), ERRNO.badf)
  })

  it('is not there for a program without files', async () => {
    const program = createWasiCaller()
    for (const descriptor of [3, 4]) {
      assert.equal(await program.call('fd_prestat_get', descriptor, RESULT), ERRNO.badf)
    }
    assert.equal(await program.open('a', { flags: OPEN.create }), -ERRNO.badf)
  })
})

describe('WASI: paths', () => {
  it('never lead above the folder they start from, whatever they are made of', async () => {
    const files = await memoryFiles({ secret: 'x', 'sub/': '', 'sub/in': 'y' })
    const program = createWasiCaller({ files })
    const sub = await program.open('sub', { flags: OPEN.folder, inheriting: ALL })
    const out = [
      '..',
      '../secret',
      './../secret',
      'in/../../secret',
      'x/../../secret',
      '/data/secret',
      '/',
      '//secret'
    ]
    for (const path of out) {
      assert.equal(await program.open(path, { at: sub, rights: READING }), -ERRNO.notcapable, path)
      assert.equal(await program.path('path_unlink_file', sub, path), ERRNO.notcapable, path)
      assert.equal(await program.path('path_rename', sub, 'in', sub, path), ERRNO.notcapable, path)
      assert.equal(await program.path('path_create_directory', sub, path), ERRNO.notcapable, path)
    }
    assert((await program.open('./in', { at: sub, rights: READING })) > 0)
    assert.equal(await readWhole(files, 'secret'), 'x')
  })

  it('are text without control characters, and not endless', async () => {
    const program = createWasiCaller({ files: await memoryFiles() })
    const create = { flags: OPEN.create }
    assert.equal(await program.open('', create), -ERRNO.noent)
    assert.equal(await program.open('a\0b', create), -ERRNO.ilseq)
    assert.equal(await program.open('a\nb', create), -ERRNO.ilseq)
    assert.equal(await program.open('n'.repeat(256), create), -ERRNO.nametoolong)
    assert.equal(await program.open('a/'.repeat(2100), create), -ERRNO.nametoolong)
    program.bytes.set([0xff, 0xfe], 1024)
    assert.equal(await program.call('path_create_directory', DATA, 1024, 2), ERRNO.ilseq)
    assert((await program.open('ünï 🌍.txt', create)) > 0)
  })

  it('go with a folder that is renamed while it is open, and nowhere when it is gone', async () => {
    const files = await memoryFiles({ 'old/': '', 'old/deep/': '', 'old/deep/a': '1' })
    const program = createWasiCaller({ files })
    const rights = { flags: OPEN.folder, inheriting: ALL }
    const deep = await program.open('old/deep', rights)
    assert.equal(await program.path('path_rename', DATA, 'old', DATA, 'new'), ERRNO.success)
    // Whoever takes the old name is not who was opened.
    await files.makeFolder('old')
    await files.makeFolder('old/deep')
    await writeWhole(files, 'old/deep/a', 'impostor')
    const file = await program.open('a', { at: deep, rights: READING })
    assert.equal(await program.read(file, 100), '1')
    assert.equal(await program.path('path_unlink_file', deep, 'a'), ERRNO.success)
    assert.equal(await program.path('path_remove_directory', DATA, 'new/deep'), ERRNO.success)
    assert.equal(await program.open('b', { at: deep, flags: OPEN.create }), -ERRNO.noent)
  })

  it('have no links, unless their keeper has', async () => {
    const program = createWasiCaller({ files: await memoryFiles({ a: '' }) })
    assert.equal(await program.path('path_symlink', 'a', DATA, 'link'), ERRNO.notsup)
    assert.equal(await program.path('path_link', DATA, 0, 'a', DATA, 'b'), ERRNO.notsup)
    assert.equal(await program.path('path_readlink', DATA, 'a', BUFFER, 10, RESULT), ERRNO.notsup)
  })

  it('follow links only inside the root', async () => {
    const files = await memoryFiles({ 'sub/': '', 'sub/a': 'found' }, { hasLinks: true })
    await files.links?.make('../../../etc/passwd', 'sub/out')
    await files.links?.make('../sub/a', 'sub/in')
    const program = createWasiCaller({ files })
    assert.equal(await program.open('sub/out', { rights: READING }), -ERRNO.acces)
    assert.equal(await program.read(await program.open('sub/in', { rights: READING }), 10), 'found')
    for (const target of ['/etc/passwd', '../x', '..']) {
      assert.equal(await program.path('path_symlink', target, DATA, 'link'), ERRNO.notcapable, target)
    }
  })
})

describe('WASI: open files', () => {
  it('are made, written, read, cut, told of and removed', async () => {
    const files = await memoryFiles()
    const program = createWasiCaller({ files })
    const file = await program.open('a.txt', { flags: OPEN.create | OPEN.exclusive })
    assert.equal(await program.open('a.txt', { flags: OPEN.create | OPEN.exclusive }), -ERRNO.exist)
    assert.equal(await program.write(file, 'hello world'), 11)
    assert.equal(await program.call('fd_seek', file, 6n, 0, RESULT), ERRNO.success)
    assert.equal(await program.read(file, 100), 'world')
    assert.equal(await program.read(file, 100), '', 'the end')
    assert.equal(await program.call('fd_filestat_set_size', file, 5n), ERRNO.success)
    assert.deepEqual(await program.stat('a.txt').then(({ type, size }) => [type, size]), [TYPE.file, 5n])
    assert.equal(await program.call('fd_close', file), ERRNO.success)
    assert.equal(await readWhole(files, 'a.txt'), 'hello')
    assert.equal(await program.path('path_unlink_file', DATA, 'a.txt'), ERRNO.success)
    assert.equal(await program.stat('a.txt').then(({ errno }) => errno), ERRNO.noent)
  })

  it('answer fd_sync and fd_datasync once all is handed over', async () => {
    const files = await memoryFiles()
    const program = createWasiCaller({ files })
    const file = await program.open('a', { flags: OPEN.create })
    for (const name of ['fd_sync', 'fd_datasync'] as const) {
      assert.equal(await program.write(file, name), name.length)
      assert.equal(await program.call(name, file), ERRNO.success)
      assert((await readWhole(files, 'a')).endsWith(name))
    }
    assert.equal(await program.call('fd_sync', DATA), ERRNO.success)
    assert.equal(await program.call('fd_sync', 1), ERRNO.inval)
    assert.equal(await program.call('fd_sync', 77), ERRNO.badf)
  })

  it('may do what they were opened for and no more', async () => {
    const program = createWasiCaller({ files: await memoryFiles({ a: 'content' }) })
    const file = await program.open('a', { rights: READING })
    assert.equal(await program.write(file, 'x'), -ERRNO.badf)
    assert.equal(await program.call('fd_filestat_set_size', file, 0n), ERRNO.notcapable)
    assert.equal(await program.call('fd_allocate', file, 0n, 10n), ERRNO.notcapable)
    assert.equal(await program.call('fd_sync', file), ERRNO.notcapable)
    assert.equal(await program.call('fd_fdstat_set_rights', file, ALL, 0n), ERRNO.notcapable)
    assert.equal(await program.call('fd_fdstat_set_rights', file, 0n, 0n), ERRNO.success)
    assert.equal(await program.read(file, 1), ERRNO.badf)
    const folder = await program.open('.', { flags: OPEN.folder, rights: 1n << 13n, inheriting: READING })
    assert.equal(await program.open('a', { at: folder, rights: 1n << 6n }), -ERRNO.notcapable)
    assert.equal(await program.open('b', { at: folder, rights: 0n, flags: OPEN.create }), -ERRNO.notcapable)
    assert.equal(await program.path('path_unlink_file', folder, 'a'), ERRNO.notcapable)
  })

  it('are counted, and one too many is refused until another is closed', async () => {
    const program = createWasiCaller({ files: await memoryFiles({ a: '' }), openFilesMax: 3 })
    const open = [await program.open('a'), await program.open('a'), await program.open('a')]
    assert.equal(await program.open('a'), -ERRNO.mfile)
    assert.equal(await program.call('fd_close', open[1] ?? -1), ERRNO.success)
    assert.equal(await program.open('a'), open[1], 'the lowest free number')
    assert.equal(await program.call('fd_renumber', open[0] ?? -1, open[2] ?? -1), ERRNO.success)
    assert((await program.open('a')) > 0, 'what was replaced is closed')
  })

  it('tell of a full quota, at the latest when they are closed', async () => {
    const program = createWasiCaller({ files: await memoryFiles({}, { bytesMax: 1000 }) })
    const small = await program.open('small', { flags: OPEN.create })
    assert.equal(await program.write(small, 'x'.repeat(900)), 900)
    assert.equal(await program.write(small, 'x'.repeat(900)), 900, 'gathered')
    assert.equal(await program.call('fd_close', small), ERRNO.dquot)
    const large = await program.open('large', { flags: OPEN.create })
    program.bytes.fill(1, BUFFER)
    assert.equal(await program.write(large, 'y'.repeat(60_000)), -ERRNO.dquot)
    assert.equal(await program.call('fd_allocate', large, 0n, 1001n), ERRNO.dquot)
    assert.equal(await program.call('fd_close', large), ERRNO.success)
  })

  it('say each kind of failure in its own way', async () => {
    const base = await memoryFiles({ a: '' })
    const failures = [
      ['ERR_FILE_NO_SPACE', ERRNO.nospc],
      ['ERR_FILE_QUOTA', ERRNO.dquot],
      ['ERR_FILE_DENIED', ERRNO.acces],
      ['ERR_FILE_READ_ONLY', ERRNO.rofs],
      ['ERR_FILE_CORRUPT', ERRNO.io]
    ] as const
    for (const [code, errno] of failures) {
      const stat: CapsuleFiles['stat'] = () => Promise.reject(new FileError(code, 'a secret of the host'))
      const program = createWasiCaller({
        files: Object.assign(Object.create(base) as CapsuleFiles, { stat })
      })
      assert.equal(await program.stat('a').then((stat) => stat.errno), errno)
      assert(!Buffer.from(program.bytes).includes('secret'), 'only the kind crosses')
    }
    const stat: CapsuleFiles['stat'] = () => Promise.reject(new Error('a bug'))
    const program = createWasiCaller({ files: Object.assign(Object.create(base) as CapsuleFiles, { stat }) })
    assert.equal(await program.stat('a').then((stat) => stat.errno), ERRNO.io)
  })

  it('that are appended to grow at their end, whoever else writes', async () => {
    const files = await memoryFiles({ log: 'one' })
    const program = createWasiCaller({ files })
    const log = await program.open('log', { fdflags: 1 })
    assert.equal(await program.write(log, '-two'), 4)
    await writeWhole(files, 'log', 'longer than before')
    assert.equal(await program.write(log, '-three'), 6)
    assert.equal(await program.call('fd_tell', log, RESULT), ERRNO.success)
    assert.equal(program.view.getBigUint64(RESULT, true), 24n)
    assert.equal(await readWhole(files, 'log'), 'longer than before-three')
  })

  it('keep their content while they are open, though their name is gone', async () => {
    const program = createWasiCaller({ files: await memoryFiles({ a: 'kept' }) })
    const file = await program.open('a', { rights: READING })
    assert.equal(await program.path('path_unlink_file', DATA, 'a'), ERRNO.success)
    assert.equal(await program.read(file, 10), 'kept')
  })
})

describe('WASI: reading ahead and gathering writes', () => {
  it('asks the host far less often than the program', async () => {
    const files = await memoryFiles({ big: 'abcdefgh'.repeat(20_000) })
    const program = createWasiCaller({ files })
    const big = await program.open('big', { rights: READING })
    let text = ''
    for (let part = await program.read(big, 100); part !== ''; part = await program.read(big, 100))
      text += String(part)
    assert.equal(text, 'abcdefgh'.repeat(20_000))
    assert(program.world.questions() < 12, `${program.world.questions()} questions for 1600 reads`)
    const copy = await program.open('copy', { flags: OPEN.create })
    const before = program.world.questions()
    for (let index = 0; index < 1600; index++)
      await program.write(copy, text.slice(index * 100, index * 100 + 100))
    await program.call('fd_close', copy)
    assert(program.world.questions() - before < 12, 'questions for 1600 writes')
    assert.equal(await readWhole(files, 'copy'), text)
  })

  it('reads what another descriptor, or anybody outside, wrote before it was told', async () => {
    const files = await memoryFiles({ a: '0123456789' })
    const program = createWasiCaller({ files, stdin: 'look again' })
    const reader = await program.open('a', { rights: READING })
    const writer = await program.open('a')
    assert.equal(await program.read(reader, 1), '0')
    await program.call('fd_seek', writer, 1n, 0, RESULT)
    await program.write(writer, 'ab')
    assert.equal(await program.read(reader, 2), 'ab')
    const outside = await files.open('a', { isWriting: true })
    await outside.write(3, Buffer.from('XYZ'))
    assert.equal(await program.read(0, 4), 'look')
    assert.equal(await program.read(reader, 3), 'XYZ')
  })

  it('hands over what was written before the program says anything, and at its end', async () => {
    const files = await memoryFiles()
    const program = createWasiCaller({ files })
    const file = await program.open('a', { flags: OPEN.create })
    await program.write(file, 'first')
    for (const descriptor of [1, 3]) {
      await program.write(descriptor, 'saved')
      assert.equal(await readWhole(files, 'a'), 'first')
    }
    await program.write(file, ' last')
    await assert.rejects(program.call('proc_exit', 0))
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(await readWhole(files, 'a'), 'first last')
  })
})

describe('WASI: folders', () => {
  const names = async (
    program: ReturnType<typeof createWasiCaller>,
    folder: number,
    bufferBytes: number
  ): Promise<string[]> => {
    const found: string[] = []
    for (let cookie = 0n; ;) {
      assert.equal(
        await program.call('fd_readdir', folder, BUFFER, bufferBytes, cookie, RESULT),
        ERRNO.success
      )
      const used = program.view.getUint32(RESULT, true)
      let at = BUFFER
      while (at + 24 <= BUFFER + used) {
        const length = program.view.getUint32(at + 16, true)
        if (at + 24 + length > BUFFER + used) break
        cookie = program.view.getBigUint64(at, true)
        found.push(Buffer.from(program.bytes.subarray(at + 24, at + 24 + length)).toString())
        at += 24 + length
      }
      if (used < bufferBytes) return found
    }
  }

  it('are listed whole through any buffer, though files come and go meanwhile', async () => {
    const many = Object.fromEntries(Array.from({ length: 3000 }, (_, index) => [`f${index}`, '']))
    const files = await memoryFiles(many)
    const program = createWasiCaller({ files })
    const folder = await program.open('.', { flags: OPEN.folder, rights: 1n << 14n })
    const all = ['.', '..', ...Object.keys(many)]
    assert.deepEqual(await names(program, folder, 60_000), all)
    assert.deepEqual(await names(program, folder, 100), all)
    assert.equal(await program.call('fd_readdir', folder, BUFFER, 60_000, 0n, RESULT), ERRNO.success)
    await files.remove('f0')
    assert.equal(await program.call('fd_readdir', folder, BUFFER, 60_000, 3n, RESULT), ERRNO.success)
    assert.equal(program.view.getUint32(BUFFER + 16, true), 2)
    assert.equal(Buffer.from(program.bytes.subarray(BUFFER + 24, BUFFER + 26)).toString(), 'f1')
    assert.equal(
      await program.call('fd_readdir', folder, BUFFER, 100, (1n << 63n) + 5n, RESULT),
      ERRNO.success
    )
    assert.equal(program.view.getUint32(RESULT, true), 0)
  })

  it('cannot be read as files, nor files as folders', async () => {
    const program = createWasiCaller({ files: await memoryFiles({ a: '' }) })
    assert.equal(await program.read(DATA, 1), ERRNO.isdir)
    assert.equal(await program.open('.', { rights: 1n << 6n }), -ERRNO.isdir)
    assert.equal(await program.open('a/'), -ERRNO.notdir)
    assert.equal(await program.open('a/b', { flags: OPEN.create }), -ERRNO.notdir)
    const file = await program.open('a')
    assert.equal(await program.call('fd_readdir', file, BUFFER, 100, 0n, RESULT), ERRNO.notdir)
    assert.equal(await program.open('b', { at: file }), -ERRNO.notdir)
  })
})

describe('WASI: signals and sockets', () => {
  it('end the program, do nothing, or are refused', async () => {
    for (const [signal, exitCode] of [
      [6, 134],
      [9, 137],
      [15, 143]
    ] as const) {
      const program = createWasiCaller()
      await assert.rejects(program.call('proc_raise', signal))
      assert.equal(program.world.exitCode(), exitCode)
    }
    const program = createWasiCaller()
    for (const signal of [0, 16, 27]) assert.equal(await program.call('proc_raise', signal), ERRNO.success)
    assert.equal(await program.call('proc_raise', 18), ERRNO.notsup)
    for (const signal of [31, 255, -1]) assert.equal(await program.call('proc_raise', signal), ERRNO.inval)
  })

  it('are not to be had, on a file either', async () => {
    const program = createWasiCaller({ files: await memoryFiles({ a: '' }) })
    const file = await program.open('a')
    for (const descriptor of [0, 1, DATA, file]) {
      assert.equal(await program.call('sock_accept', descriptor, 0, RESULT), ERRNO.notsock)
      assert.equal(await program.call('sock_shutdown', descriptor, 1), ERRNO.notsock)
    }
    assert.equal(await program.call('sock_send', 3, 0, 0, 0, RESULT), ERRNO.notcapable)
    assert.equal(await program.call('sock_recv', 77, 0, 0, 0, RESULT, RESULT), ERRNO.badf)
  })
})
