import assert from 'node:assert/strict'
import * as dagPb from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { cidOf, DAG_PB_CODEC, RAW_CODEC } from '#content'
import { quickLinks } from '../../../content/dag-pb-links.ts'
import { stepKey } from '../../../content/stream/walk.ts'
import { decodeUnixfs } from '../../../content/unixfs-node.ts'
import { utf8 } from './fixture.ts'

/** A block with one link, other for each text. */
function blockOf(text: string, unixfs = new UnixFS({ type: 'file', blockSizes: [1n] })): Uint8Array {
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

  it('have the same keys whether they are decoded anew or remembered', () => {
    const block = blockOf('with a key')
    const [anew, remembered]: string[][] = [[], []]
    const links = quickLinks(block, anew)
    assert.ok(quickLinks(block, remembered) === links, 'remembered')
    assert.deepEqual(anew, links?.map(stepKey))
    assert.deepEqual(remembered, anew)
  })

  it('are those of files, not of folders, whose names count', () => {
    const file = blockOf('a file')
    const folder = blockOf('a folder', new UnixFS({ type: 'directory' }))
    const links = quickLinks(file)
    const node = decodeUnixfs(cidOf(DAG_PB_CODEC, folder), folder)
    assert.equal(node.kind, 'folder')
    assert.ok(quickLinks(file) === links, 'nothing else was decoded since')
  })
})
