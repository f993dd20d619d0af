import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import {
  CAPSULE_LIMIT_CEILINGS,
  CapsuleError,
  capsuleLimits,
  manifestSchema,
  parseManifest
} from '#capsule-host'
import invalid from '../../vectors/capsule-manifest/invalid.json' with { type: 'json' }
import valid from '../../vectors/capsule-manifest/valid.json' with { type: 'json' }

const SCHEMA_FILE = new URL('../../../docs/protocols/capsule-manifest.schema.json', import.meta.url)
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('a capsule manifest', () => {
  for (const { comment, manifest, parsed } of valid) {
    it(`is read: ${comment}`, () => {
      assert.deepEqual(parseManifest(bytesOf(JSON.stringify(manifest))), parsed)
    })
  }

  for (const { comment, code, text } of invalid) {
    it(`is refused with ${code}: ${comment}`, () => {
      assert.throws(() => parseManifest(bytesOf(text)), { name: 'CapsuleError', code })
    })
  }

  it('is not parsed when it has more than 64 KiB, and is when it has exactly that', () => {
    const text = JSON.stringify(valid[0]!.manifest)
    assert.equal(parseManifest(bytesOf(text.padEnd(64 * 1024))).name, 'hello')
    assert.throws(() => parseManifest(bytesOf(text.padEnd(64 * 1024 + 1))), {
      code: 'ERR_MANIFEST_TOO_LARGE'
    })
  })

  it('is refused when it is not UTF-8', () => {
    assert.throws(() => parseManifest(Uint8Array.of(0x22, 0xff, 0x22)), { code: 'ERR_MANIFEST_INVALID' })
  })

  it('never puts its own control characters into the sentence about it', () => {
    const text = JSON.stringify({ ...valid[0]!.manifest, ['\u001b[31mred\u0007']: 1 })
    assert.throws(
      () => parseManifest(bytesOf(text)),
      (thrown: unknown) => {
        assert(thrown instanceof CapsuleError)
        assert.match(thrown.message, /unrecognized key/)
        assert.doesNotMatch(thrown.message, /\p{Cc}/u)
        return true
      }
    )
  })

  it('has the JSON Schema that docs/protocols shows (scripts/capsule-schema.ts writes it)', async () => {
    const shown: unknown = JSON.parse(await readFile(SCHEMA_FILE, 'utf8'))
    assert.deepEqual(shown, JSON.parse(JSON.stringify(z.toJSONSchema(manifestSchema, { io: 'input' }))))
  })
})

describe('the limits of a capsule', () => {
  const manifest = parseManifest(
    bytesOf(JSON.stringify({ ...valid[0]!.manifest, limits: { memoryBytesMax: 1024 * 1024 } }))
  )

  it('are what the manifest asks for, and defaults for the rest', () => {
    assert.deepEqual(capsuleLimits(manifest), {
      memoryBytesMax: 1024 * 1024,
      cpuSecondsMax: 60,
      wallMsMax: 24 * 60 * 60 * 1000,
      outputBytesMax: 256 * 1024 * 1024,
      bytesPerSecondMax: 64 * 1024 * 1024,
      openFilesMax: 64,
      callsPerSecondMax: 1000,
      storageBytesMax: 64 * 1024 * 1024
    })
  })

  it('are lowered, never raised, to what the user allows', () => {
    const allowed = {
      ...CAPSULE_LIMIT_CEILINGS,
      ...{ memoryBytesMax: 2 ** 30, cpuSecondsMax: 1, wallMsMax: 1000, openFilesMax: 3 }
    }
    const limits = capsuleLimits(manifest, allowed)
    assert.equal(limits.memoryBytesMax, 1024 * 1024)
    assert.equal(limits.cpuSecondsMax, 1)
    assert.equal(limits.outputBytesMax, 256 * 1024 * 1024)
    assert.equal(limits.openFilesMax, 3)
  })
})
