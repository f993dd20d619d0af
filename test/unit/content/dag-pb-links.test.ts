import assert from 'node:assert/strict'
import * as dagPb from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { cidOf, RAW_CODEC } from '#content'
import { quickLinks } from '../../../content/dag-pb-links.ts'
import { utf8 } from './fixture.ts'

/** A block with one link, other for each text. */
function blockOf(text: string): Uint8Array {
  const unixfs = new UnixFS({ type: 'file', blockSizes: [1n] })
  const link = { Hash: cidOf(RAW_CODEC, utf8(text)), Name: 'a', Tsize: 1 }
  return dagPb.encode(dagPb.prepare({ Links: [link], Data: unixfs.marshal() }))
}

describe('links that were decoded', () => {
  it('are remembered of the newest block only', () => {
    const [older, newer] = [blockOf('older'), blockOf('newer')]
    const before = quickLinks(older)
    assert.ok(before !== undefined)
    assert.ok(quickLinks(older) === before)
    const links = quickLinks(newer)
    assert.ok(quickLinks(newer) === links)
    const again = quickLinks(older)
    assert.ok(again !== before, 'decoded anew')
    assert.deepEqual(again?.map(String), before.map(String))
  })
})
