import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import { openPackage, verifyPackage, type PackageReader, type VerifiedCapsule } from '#capsule-host'
import { keyPairFromSeed } from '#did'

const MANIFEST = {
  manifest: 2,
  name: 'hello',
  version: '0.1.0',
  substrate: 'wasm',
  entry: 'build/hello.wasm'
}
const MIB = 1024 * 1024
const signal = new AbortController().signal
const RELEASE: VerifiedCapsule = {
  root: CID.parse('bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi'),
  name: 'hello',
  version: '0.1.0',
  publisher: keyPairFromSeed(new Uint8Array(32)).did
}

interface FakePackage extends PackageReader {
  /** Paths in the order they were read. */
  readonly reads: string[]
}

/** A package in memory; `claimed` says what its folder pretends about sizes. */
function packageOf(
  files: Readonly<Record<string, string | Uint8Array>>,
  claimed: Readonly<Record<string, number>> = {}
): FakePackage {
  const reads: string[] = []
  return {
    reads,
    list: async function* () {
      for (const [path, content] of Object.entries(files))
        yield { path, bytes: claimed[path] ?? content.length }
    },
    read: async (path) => {
      reads.push(path)
      const content = files[path]
      if (content === undefined) throw new Error('no such file')
      return typeof content === 'string' ? new TextEncoder().encode(content) : content
    }
  }
}

const GOOD = {
  'capsule.json': JSON.stringify(MANIFEST),
  'build/hello.wasm': 'wasm',
  'assembly/index.ts': 'source'
}

describe('a package', () => {
  it('is opened with its manifest and entry, after every file of it was read', async () => {
    const reader = packageOf(GOOD)
    const opened = await openPackage(reader, { signal, release: RELEASE })
    assert.equal(opened.manifest.name, 'hello')
    assert.equal(Buffer.from(opened.entry).toString(), 'wasm')
    assert.equal(opened.files, 3)
    assert.equal(opened.bytes, JSON.stringify(MANIFEST).length + 'wasm'.length + 'source'.length)
    for (const path of Object.keys(GOOD)) assert(reader.reads.includes(path), path)
  })

  it('is not opened when one byte of any file is missing or wrong', async () => {
    const broken: PackageReader = {
      ...packageOf(GOOD),
      read: async (path, options) => {
        if (path === 'assembly/index.ts')
          throw Object.assign(new Error('wrong bytes'), { code: 'ERR_BLOCK_WRONG' })
        return packageOf(GOOD).read(path, options)
      }
    }
    await assert.rejects(openPackage(broken, { signal, release: RELEASE }), { code: 'ERR_BLOCK_WRONG' })
    await assert.rejects(verifyPackage(broken, { signal }), { code: 'ERR_BLOCK_WRONG' })
  })

  it('is not opened when its manifest says another name or version than was signed', async () => {
    await assert.rejects(openPackage(packageOf(GOOD), { signal, release: { ...RELEASE, name: 'other' } }), {
      code: 'ERR_CAPSULE_NAME_MISMATCH'
    })
    await assert.rejects(
      openPackage(packageOf(GOOD), { signal, release: { ...RELEASE, version: '0.1.1' } }),
      {
        code: 'ERR_CAPSULE_VERSION_MISMATCH'
      }
    )
  })

  it('is opened without a signature only when none was asked for', async () => {
    assert.equal((await openPackage(packageOf(GOOD), { signal })).manifest.version, '0.1.0')
  })

  for (const [what, code, files, claimed] of [
    ['without a manifest', 'ERR_PACKAGE_INVALID', { 'build/hello.wasm': '' }],
    ['without its entry', 'ERR_PACKAGE_INVALID', { 'capsule.json': JSON.stringify(MANIFEST) }],
    ['with a manifest in a folder only', 'ERR_PACKAGE_INVALID', { 'sub/capsule.json': '{}' }],
    ['with a path that goes up', 'ERR_PACKAGE_INVALID', { ...GOOD, '../x': '' }],
    ['with an absolute path', 'ERR_PACKAGE_INVALID', { ...GOOD, '/x': '' }],
    ['with an empty name', 'ERR_PACKAGE_INVALID', { ...GOOD, 'a//b': '' }],
    ['with a terminal escape in a name', 'ERR_PACKAGE_INVALID', { ...GOOD, '\u001b[31m': '' }],
    ['with a name too long', 'ERR_PACKAGE_INVALID', { ...GOOD, ['a'.repeat(256)]: '' }],
    ['with a path too deep', 'ERR_PACKAGE_INVALID', { ...GOOD, ['a/'.repeat(16) + 'b']: '' }],
    [
      'with a manifest too large',
      'ERR_MANIFEST_TOO_LARGE',
      { ...GOOD, 'capsule.json': ' '.repeat(65 * 1024) }
    ],
    ['with a manifest that is not one', 'ERR_MANIFEST_INVALID', { ...GOOD, 'capsule.json': '{}' }],
    ['with a file too large', 'ERR_PACKAGE_TOO_LARGE', { ...GOOD, big: '' }, { big: 65 * MIB }],
    [
      'with files too large together',
      'ERR_PACKAGE_TOO_LARGE',
      { ...GOOD, a: '', b: '', c: '', d: '', e: '' },
      { a: 60 * MIB, b: 60 * MIB, c: 60 * MIB, d: 60 * MIB, e: 60 * MIB }
    ],
    [
      'with too many files',
      'ERR_PACKAGE_TOO_LARGE',
      { ...GOOD, ...Object.fromEntries(Array.from({ length: 4100 }, (_, n) => [`f${n}`, ''])) }
    ]
  ] as [string, string, Record<string, string>, Record<string, number>?][]) {
    it(`${what} is refused with ${code}`, async () => {
      // Sizes that are only claimed stand for files that would be fetched.
      const reader = packageOf(files, claimed)
      const padded: PackageReader = {
        ...reader,
        read: async (path, options) => {
          const size = claimed?.[path]
          return size === undefined ? reader.read(path, options) : new Uint8Array(size)
        }
      }
      await assert.rejects(openPackage(padded, { signal }), { name: 'CapsuleError', code })
    })
  }

  it('whose entry is larger than a module may be is refused', async () => {
    const entry = new Uint8Array(33 * MIB)
    await assert.rejects(openPackage(packageOf({ ...GOOD, 'build/hello.wasm': entry }), { signal }), {
      code: 'ERR_MODULE_TOO_LARGE'
    })
  })

  it('whose folder understates its sizes is refused by what was read', async () => {
    const big = new Uint8Array(60 * MIB)
    const files = { ...GOOD, a: big, b: big, c: big, d: big, e: big }
    const reader = packageOf(files, { a: 1, b: 1, c: 1, d: 1, e: 1 })
    await assert.rejects(verifyPackage(reader, { signal }), { code: 'ERR_PACKAGE_TOO_LARGE' })
  })

  it('that is given up is not read on', async () => {
    const stop = new AbortController()
    const reader = packageOf(GOOD)
    stop.abort(new Error('enough'))
    await assert.rejects(verifyPackage(reader, { signal: stop.signal }), { message: 'enough' })
    assert.deepEqual(reader.reads, [])
  })
})
