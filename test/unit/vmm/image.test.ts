import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmod, mkdir, readdir, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { erofsImage, makeRootImage, readImageFolder, systemImagePowers, type ImageEntry } from '#vmm'
import { cpioArchive, type CpioEntry } from '../../../vmm/image/cpio.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { startProcess } from '../../support/process.ts'

const file = (path: string, text: string, isExecutable = false): ImageEntry => {
  const content = Buffer.from(text)
  return { kind: 'file', path, bytes: content.byteLength, isExecutable, content: () => [content] }
}
const ENTRIES: readonly ImageEntry[] = [
  file('bin/tool', '#!/bin/sh\n', true),
  file('empty', ''),
  file('ünïcode', 'x'.repeat(5000)),
  { kind: 'link', path: 'bin/sh', target: 'tool' },
  { kind: 'folder', path: 'dev' }
]

describe('a root image', () => {
  it('is the same bytes for the same entries in any order, for ever', async () => {
    const image = await bytesOf(ENTRIES)
    assert.ok(image.equals(await bytesOf(ENTRIES.toReversed())))
    // Whoever changes these bytes changes the CID of every image there is.
    assert.equal(sha256(image), '6bb1e9e782222eae0ebd35f415bd60ad63d0890f69b07b430672b5319835c787')
    assert.equal(image.byteLength % 4096, 0)
  })

  it('of a folder does not tell who made it, when, or with which umask', async () => {
    const make = async (mode: number, seconds: number, names: readonly string[]): Promise<Buffer> => {
      await using folder = await createTemporaryFolder()
      await mkdir(join(folder.path, 'etc'))
      for (const name of names) await writeFile(join(folder.path, 'etc', name), `content of ${name}`)
      for (const name of names) {
        await chmod(join(folder.path, 'etc', name), name === 'run' ? mode | 0o100 : mode)
        await utimes(join(folder.path, 'etc', name), seconds, seconds)
      }
      await symlink('etc/run', join(folder.path, 'run'))
      return await bytesOf(await readImageFolder(systemImagePowers, folder.path))
    }
    const one = await make(0o600, 1_000_000, ['a', 'b', 'run'])
    const other = await make(0o644, 2_000_000, ['run', 'b', 'a'])
    assert.ok(one.equals(other))
    assert.equal(one.equals(await make(0o644, 0, ['run', 'b', 'c'])), false)
  })

  it('is written to its end or not at all, and no longer than it may be', async () => {
    await using folder = await createTemporaryFolder()
    const [source, image] = [join(folder.path, 'root'), join(folder.path, 'root.erofs')]
    await mkdir(source)
    await writeFile(join(source, 'file'), 'x'.repeat(5000))
    const { signal } = new AbortController()
    const init = { folder: source, file: image, signal }
    await assert.rejects(makeRootImage({ ...init, bytesMax: 8192 }), { code: 'ERR_VM_IMAGE' })
    assert.deepEqual(await readdir(folder.path), ['root'])
    await makeRootImage({ ...init, bytesMax: 65_536 })
    assert.ok((await stat(image)).size > 8192)
  })

  it('holds no device, pipe or socket', async () => {
    await using folder = await createTemporaryFolder()
    await using mkfifo = await startProcess({ command: 'mkfifo', args: [join(folder.path, 'pipe')] })
    await mkfifo.ended
    await assert.rejects(readImageFolder(systemImagePowers, folder.path), { code: 'ERR_VM_IMAGE' })
  })

  const wrong: Readonly<Record<string, readonly ImageEntry[]>> = {
    'a path that leads out': [file('../secret', '')],
    'a path from the root': [file('/etc/passwd', '')],
    'a path with a hole': [file('a//b', '')],
    'the same path twice': [file('a', ''), file('a', '')],
    'a file where a folder is': [file('a/b', ''), file('a', '')],
    'something below a file': [file('a', ''), file('a/b', '')],
    'a name that is too long': [file('x'.repeat(256), '')],
    'a name with a zero character': [file('a\0b', '')],
    'a link that leads nowhere': [{ kind: 'link', path: 'a', target: '' }],
    'a file of 4 GiB': [{ kind: 'file', path: 'a', bytes: 2 ** 32, isExecutable: false, content: () => [] }],
    'a file that shrank': [
      { kind: 'file', path: 'a', bytes: 2, isExecutable: false, content: () => [Buffer.from('a')] }
    ],
    'a file that grew': [
      { kind: 'file', path: 'a', bytes: 1, isExecutable: false, content: () => [Buffer.from('ab')] }
    ]
  }
  for (const [name, entries] of Object.entries(wrong)) {
    it(`refuses ${name}`, async () => {
      await assert.rejects(bytesOf(entries), { code: 'ERR_VM_IMAGE' })
    })
  }
})

describe('an initial file system', () => {
  const entries: readonly CpioEntry[] = [
    { kind: 'file', path: 'init', isExecutable: true, content: Buffer.from('program') },
    { kind: 'folder', path: 'dev' },
    { kind: 'device', path: 'dev/console', major: 5, minor: 1 }
  ]

  it('is the same bytes for the same entries in any order', () => {
    const archive = cpioArchive(entries)
    assert.ok(Buffer.from(archive).equals(cpioArchive(entries.toReversed())))
    const text = Buffer.from(archive).toString('latin1')
    assert.equal(
      text.slice(0, 110 + 'dev'.length),
      `070701${hex(1, 0o40755, 0, 0, 2, 0, 0, 0, 0, 0, 0, 4, 0)}dev`
    )
    assert.ok(text.includes(`070701${hex(2, 0o20600, 0, 0, 1, 0, 0, 0, 0, 5, 1, 12, 0)}dev/console\0`))
    assert.ok(text.includes(`070701${hex(3, 0o100755, 0, 0, 1, 0, 7, 0, 0, 0, 0, 5, 0)}init\0`))
    assert.ok(text.endsWith('TRAILER!!!\0\0\0\0'))
    assert.equal(archive.byteLength % 4, 0)
  })

  it('holds a path once', () => {
    assert.throws(() => cpioArchive([...entries, { kind: 'folder', path: 'init' }]), { code: 'ERR_VM_IMAGE' })
  })
})

function hex(...numbers: number[]): string {
  return numbers.map((number) => number.toString(16).padStart(8, '0')).join('')
}

async function bytesOf(entries: Iterable<ImageEntry>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(erofsImage(entries)))
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
