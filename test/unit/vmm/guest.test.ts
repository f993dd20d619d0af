import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { packageRoot } from '#capsule-host'
import {
  buildGuest,
  guestVersion,
  mendGuestFolder,
  openGuest,
  systemGuestBuildPowers,
  type GuestBuildPowers,
  type ProgramEnd
} from '#vmm'
import { extractKernel } from '../../../vmm/guest/kernel-image.ts'
import { unpackLz4Legacy } from '../../../vmm/guest/lz4.ts'
import { builtInModules, GUEST_MODULES, moduleDependencies, moduleOrder } from '../../../vmm/guest/modules.ts'

/** `abcabcabcabc…` of 40 characters and ` end`, as one LZ4 block: 3 literals, a match that repeats itself, 4 literals. */
const LZ4_BLOCK = Uint8Array.of(
  0x3f,
  ...Buffer.from('abc'),
  3,
  0,
  40 - 3 - 4 - 15,
  0x40,
  ...Buffer.from(' end')
)
const LZ4_TEXT = `${'abc'.repeat(14).slice(0, 40)} end`

describe('the kernel of a guest', () => {
  const kernel = elfKernel()

  for (const [name, pack] of Object.entries({
    gzip: (bytes: Uint8Array) => gzipSync(bytes),
    Zstandard: (bytes: Uint8Array) => Buffer.concat([zstdCompressSync(bytes), size(bytes.byteLength)]),
    LZ4: (bytes: Uint8Array) => Buffer.concat([literalLz4(bytes), size(bytes.byteLength)])
  })) {
    it(`is taken out of a bzImage packed by ${name}, without its sections`, () => {
      const found = extractKernel(bzImage(pack(kernel)))
      assert.equal(found.byteLength, 0x100 + 64)
      assert.ok(Buffer.from(found.subarray(0x100)).equals(kernel.subarray(0x100, 0x140)))
      assert.equal(new DataView(found.buffer, found.byteOffset).getUint16(60, true), 0)
    })
  }

  it('is refused when it is none', () => {
    const packed = bzImage(gzipSync(kernel))
    const wrong: Uint8Array[] = [
      new Uint8Array(2048),
      packed.subarray(0, 1024 + 20),
      bzImage(
        gzipSync(Buffer.from('no ELF, although it is packed as one would be, and long enough for a head'))
      ),
      bzImage(Buffer.from('packed by nobody knows whom')),
      bzImage(gzipSync(kernel.subarray(0, 0x110)))
    ]
    for (const image of wrong) assert.throws(() => extractKernel(image), { code: 'ERR_VM_GUEST_BUILD' })
  })

  it('is unpacked from LZ4, and hostile blocks are refused', () => {
    assert.equal(Buffer.from(unpackLz4Legacy(lz4(LZ4_BLOCK), 1000)).toString(), LZ4_TEXT)
    const wrong: readonly Uint8Array[] = [
      lz4(Uint8Array.of(0x10, 97, 9, 0)),
      lz4(Uint8Array.of(0x10, 97, 0, 0)),
      lz4(Uint8Array.of(0xf0, 255, 255, 0)),
      lz4(LZ4_BLOCK).subarray(0, -1)
    ]
    for (const bytes of wrong) {
      assert.throws(() => unpackLz4Legacy(bytes, 1000), { code: 'ERR_VM_GUEST_BUILD' })
    }
    assert.throws(() => unpackLz4Legacy(lz4(LZ4_BLOCK), 20), { code: 'ERR_VM_GUEST_BUILD' })
  })
})

describe('the modules of a guest', () => {
  const graph: Readonly<Record<string, readonly string[]>> = {
    a: ['b', 'c'],
    b: ['c', 'built'],
    c: [],
    x: ['y'],
    y: ['x']
  }
  const known = { dependencies: (name: string) => graph[name], builtIn: new Set(['built']) }

  it('come after what they depend on, once', () => {
    assert.deepEqual(moduleOrder(['a', 'built', 'c'], known), ['c', 'b', 'a'])
  })

  it('are refused when one is missing or needs itself', () => {
    for (const name of ['z', 'x'])
      assert.throws(() => moduleOrder([name], known), { code: 'ERR_VM_GUEST_BUILD' })
  })

  it('say what they depend on', () => {
    assert.deepEqual(
      moduleDependencies(Buffer.from('\u007fELF\0license=GPL\0depends=virtio,virtio_ring\0')),
      ['virtio', 'virtio_ring']
    )
    assert.deepEqual(moduleDependencies(Buffer.from('\0depends=\0')), [])
    assert.deepEqual(
      builtInModules('kernel/fs/ext4.ko\nkernel/crypto/crc32c-generic.ko\n'),
      new Set(['ext4', 'crc32c_generic'])
    )
  })
})

describe('the building of a guest', () => {
  it('says which program is missing and what it said', async () => {
    for (const [missing, said] of [
      ['apt-cache', 'E: No packages found'],
      ['apt-get', 'E: Unable to locate package'],
      ['dpkg-deb', 'not found']
    ] as const) {
      const powers = machineWithout(missing, said)
      await assert.rejects(buildGuest(powers, { arch: 'x86_64', output: '/out' }), {
        code: 'ERR_VM_GUEST_BUILD',
        detail: [said]
      })
    }
  })
})

describe('a guest that is built twice', () => {
  it('has the same CID, wherever it is built and in whichever order its files are found', async () => {
    const one = await buildGuest(machineWithAll('/tmp/one', false), { arch: 'x86_64', output: '/out' })
    const other = await buildGuest(machineWithAll('/tmp/other', true), {
      arch: 'x86_64',
      output: '/elsewhere'
    })
    const cid = async (files: ReadonlyMap<string, Uint8Array>): Promise<string> =>
      (await packageRoot(files)).toString()
    assert.equal(await cid(one.files), await cid(other.files))
    assert.deepEqual(openGuest(one.files, 'x86_64').description, one.description)
    const changed = machineWithAll('/tmp/one', false, 'another first process')
    const another = await buildGuest(changed, { arch: 'x86_64', output: '/out' })
    assert.notEqual(await cid(another.files), await cid(one.files))
    assert.notEqual(guestVersion(another.description), guestVersion(one.description))
  })
})

describe('the folder of a guest', () => {
  const write = (folder: string, text: string): Promise<void> =>
    systemGuestBuildPowers.writeFolder(
      folder,
      new Map(['kernel', 'initrd', 'guest.json'].map((name) => [name, Buffer.from(text)]))
    )
  let parent = ''
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'elastos-test-'))
  })
  afterEach(() => rm(parent, { recursive: true, force: true }))

  it('is made, and replaced when it holds a guest, with a slash at its end too', async () => {
    const folder = join(parent, 'below', 'guest')
    for (const [path, text] of [
      [folder, 'first'],
      [`${folder}/`, 'second']
    ] as const) {
      await write(path, text)
      assert.deepEqual((await readdir(folder)).toSorted(), ['guest.json', 'initrd', 'kernel'])
      assert.equal(await readFile(join(folder, 'kernel'), 'utf8'), text)
    }
    assert.deepEqual(await readdir(join(parent, 'below')), ['guest'])
  })

  it('is refused when it holds anything else, which stays', async () => {
    await mkdir(join(parent, 'home'))
    await writeFile(join(parent, 'home', 'letter'), 'dear')
    await mkdir(join(parent, 'sources', 'kernel'), { recursive: true })
    await writeFile(join(parent, 'file'), 'dear')
    for (const path of ['home', 'home/', 'sources', 'file', 'home/../home']) {
      await assert.rejects(write(`${parent}/${path}`, 'guest'), { code: 'ERR_VM_GUEST_BUILD' })
    }
    assert.equal(await readFile(join(parent, 'home', 'letter'), 'utf8'), 'dear')
    assert.deepEqual((await readdir(parent)).toSorted(), ['file', 'home', 'sources'])
  })

  it('is put back after a kill between two renames, and nothing half-written stays', async () => {
    const folder = join(parent, 'guest')
    await write(folder, 'mine')
    // What there is at the moment between them.
    await mkdir(`${folder}-aB3dE9/new`, { recursive: true })
    await writeFile(`${folder}-aB3dE9/new/kernel`, 'half')
    await mkdir(`${folder}-zzzzzz/new`, { recursive: true })
    await mkdir(`${folder}-theirs`)
    await writeFile(`${folder}-theirs/letter`, 'dear')
    await rename(folder, `${folder}-aB3dE9/old`)
    await mendGuestFolder(folder)
    assert.equal(await readFile(join(folder, 'kernel'), 'utf8'), 'mine')
    assert.deepEqual((await readdir(parent)).toSorted(), ['guest', 'guest-theirs'])
    await mkdir(`${folder}-aB3dE9/old`, { recursive: true })
    await mendGuestFolder(folder)
    assert.equal(await readFile(join(folder, 'kernel'), 'utf8'), 'mine', 'one that is there stays')
    assert.deepEqual((await readdir(parent)).toSorted(), ['guest', 'guest-theirs'])
    await mendGuestFolder(join(parent, 'none', 'guest'))
  })

  it('is whole whoever of two builds wins', async () => {
    const folder = join(parent, 'guest')
    await Promise.all([write(folder, 'one'), write(folder, 'two')])
    assert.deepEqual((await readdir(folder)).toSorted(), ['guest.json', 'initrd', 'kernel'])
    assert.deepEqual(await readdir(parent), ['guest'])
  })
})

/** Powers with a Debian on which all programs but one end well. */
function machineWithout(missing: string, said: string): GuestBuildPowers {
  const end = (command: string): ProgramEnd =>
    command === missing
      ? { code: 100, stdout: '', stderr: `${said}\n` }
      : { code: 0, stdout: 'Depends: linux-image-6.1.0-1-cloud-amd64 (= 6.1)\n', stderr: '' }
  return {
    run: async (command) => end(command),
    makeTemporaryFolder: async () => ({ path: '/tmp/none', [Symbol.asyncDispose]: async () => undefined }),
    listFiles: async () => ['linux-image.deb'],
    readFile: async () => new Uint8Array(0),
    checkFolder: async () => undefined,
    writeFolder: async () => undefined,
    initSources: '/sources'
  }
}

/** Powers with a Debian on which all programs end well and write into `folder`. */
function machineWithAll(folder: string, isReversed: boolean, source = 'int main(void) {}'): GuestBuildPowers {
  const modules = [...new Set(Object.values(GUEST_MODULES).flat())]
  const contents = new Map<string, Uint8Array>([
    ['linux-image-6.1.0-1-cloud-amd64_6.1.1-1_amd64.deb', Buffer.from('a package')],
    ['boot/vmlinuz-6.1.0-1-cloud-amd64', bzImage(gzipSync(elfKernel()))],
    ['lib/modules/6.1.0-1/modules.builtin', Buffer.from('kernel/fs/ext4.ko\n')],
    ...modules.map((name): [string, Uint8Array] => {
      return [`lib/modules/6.1.0-1/${name}.ko`, Buffer.from(`\u007fELF ${name}\0depends=\0`)]
    }),
    ['init.c', Buffer.from(source)],
    ['init', Buffer.from(`compiled: ${source}`)]
  ])
  const said: Readonly<Record<string, string>> = {
    'apt-cache': 'Depends: linux-image-6.1.0-1-cloud-amd64 (= 6.1.1-1)\n',
    'dpkg-deb': 'linux-image-6.1.0-1-cloud-amd64\n6.1.1-1',
    'musl-gcc': 'a compiler 1.0\nmore'
  }
  return {
    run: async (command) => ({ code: 0, stdout: said[command] ?? '', stderr: '' }),
    makeTemporaryFolder: async () => ({ path: folder, [Symbol.asyncDispose]: async () => undefined }),
    listFiles: async (path) => {
      const names = [...contents.keys()]
      const found = path === '/sources' ? ['init.c'] : names.filter((name) => !name.startsWith('init'))
      return isReversed ? found.toReversed() : found
    },
    readFile: async (path) =>
      contents.get(path.replace(/^(\/sources|\/tmp\/[a-z]+(\/kernel)?)\//, '')) ?? Buffer.alloc(0),
    checkFolder: async () => undefined,
    writeFolder: async () => undefined,
    initSources: '/sources'
  }
}

/** A 64-bit ELF file with one segment at 0x100 of 64 bytes, and sections after it. */
function elfKernel(): Buffer {
  const file = Buffer.alloc(0x400, 0xee)
  file.fill(0, 0, 0x100)
  file.write('\u007fELF', 'latin1')
  file.writeBigUInt64LE(64n, 32)
  file.writeBigUInt64LE(0x200n, 40)
  file.writeUInt16LE(56, 54)
  file.writeUInt16LE(1, 56)
  file.writeUInt16LE(5, 60)
  file.writeBigUInt64LE(0x100n, 64 + 8)
  file.writeBigUInt64LE(64n, 64 + 32)
  return file
}

/** A boot sector, two setup sectors and a payload 16 bytes into what follows. */
function bzImage(payload: Uint8Array): Uint8Array {
  const head = Buffer.alloc(512 * 3 + 16)
  head.writeUInt8(2, 0x1f1)
  head.write('HdrS', 0x202, 'latin1')
  head.writeUInt16LE(0x020f, 0x206)
  head.writeUInt32LE(16, 0x248)
  head.writeUInt32LE(payload.byteLength, 0x24c)
  return Buffer.concat([head, payload])
}

function size(bytes: number): Buffer {
  const encoded = Buffer.alloc(4)
  encoded.writeUInt32LE(bytes)
  return encoded
}

function lz4(block: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0x02, 0x21, 0x4c, 0x18]), size(block.byteLength), block])
}

/** Bytes as one block of nothing but literals. */
function literalLz4(bytes: Uint8Array): Buffer {
  const more = bytes.byteLength - 15
  return lz4(
    Buffer.concat([Buffer.of(0xf0), Buffer.alloc(Math.floor(more / 255), 255), Buffer.of(more % 255), bytes])
  )
}
