import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import {
  blockKey,
  cidFromBlockKey,
  cidOf,
  matchesCid,
  parseCidPath,
  RAW_CODEC
} from '../../../content/cid.ts'
import { CID_PATH_CHARS_MAX } from '../../../content/constants.ts'
import { utf8 } from './fixture.ts'

interface PathVector {
  text: string
  names?: string[]
  code?: string
}

function vectors(name: string): PathVector[] {
  const text = readFileSync(new URL(`../../vectors/cid-path/${name}.json`, import.meta.url), 'utf8')
  return (JSON.parse(text) as { paths: PathVector[] }).paths
}

describe('CID paths', () => {
  for (const { text, names } of vectors('valid')) {
    it(`takes ${text}`, () => {
      assert.deepEqual(parseCidPath(text).names, names)
    })
  }

  for (const { text, code } of vectors('invalid')) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseCidPath(text), { code, name: 'ContentError' })
    })
  }

  it('repeats what came, shortened, and no word of a library', () => {
    const sentence = /^expected a CID such as bafy… or bafk…, got "hello\\u001b\[1m(a*)…?"$/
    assert.throws(() => parseCidPath('hello\u001b[1m'), { message: sentence })
    assert.throws(
      () => parseCidPath(`hello\u001b[1m${'a'.repeat(500)}`),
      ({ message }: Error) => {
        return sentence.test(message) && message.length < 120
      }
    )
  })

  it('refuses a text of any length', () => {
    const text = `bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi/${'a'.repeat(CID_PATH_CHARS_MAX)}`
    assert.throws(() => parseCidPath(text), { code: 'ERR_CID_INVALID' })
  })
})

describe('CIDs', () => {
  it('names bytes as every IPFS implementation does', () => {
    // `printf hello | ipfs add --cid-version=1 -Q`
    assert.equal(
      cidOf(RAW_CODEC, utf8('hello')).toString(),
      'bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq'
    )
  })

  it('tells right bytes from wrong ones, for sha2-256 and sha2-512', () => {
    const digest = createHash('sha512').update('hello').digest()
    const sha512 = CID.createV1(RAW_CODEC, Digest.create(0x13, digest))
    assert.equal(matchesCid(sha512, utf8('hello')), true)
    assert.equal(matchesCid(sha512, utf8('hellp')), false)
    assert.equal(matchesCid(cidOf(RAW_CODEC, utf8('hello')), utf8('hello')), true)
    assert.equal(matchesCid(cidOf(RAW_CODEC, utf8('hello')), utf8('hellp')), false)
  })

  it('finds the CID of a block key again, and none in other names', () => {
    const cid = cidOf(RAW_CODEC, utf8('hello'))
    assert.equal(cidFromBlockKey(blockKey(cid))?.toString(), cid.toString())
    for (const name of ['', 'notes.txt', 'LAYOUT', blockKey(cid).slice(1), `${blockKey(cid)}a`]) {
      assert.equal(cidFromBlockKey(name), undefined)
    }
  })
})
