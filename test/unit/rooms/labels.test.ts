import assert from 'node:assert/strict'
import type { Did } from '#did'
import { createLabels } from '../../../rooms/labels.ts'

const ANN: Did = 'did:key:z6MkAAAAAAAAAAAAAAAAAAA111111'
const EVE: Did = 'did:key:z6MkBBBBBBBBBBBBBBBBBBB222222'
const TWIN: Did = 'did:key:z6MkCCCCCCCCCCCCCCCCCCB222222'

describe('labels', () => {
  it('are the nick while nobody shares it', () => {
    const labels = createLabels()
    assert.equal(labels.label(ANN, 'ann'), 'ann')
    assert.equal(labels.label(EVE, 'eve'), 'eve')
    assert.equal(labels.label(ANN, 'ann'), 'ann')
  })

  it('tell two people with one nick apart, in whatever case or width', () => {
    for (const nick of ['ann', 'ANN', 'ａｎｎ']) {
      const labels = createLabels()
      labels.label(ANN, 'ann')
      assert.equal(labels.label(EVE, nick), `${nick} (…222222)`)
      assert.equal(labels.label(ANN, 'ann'), 'ann (…111111)')
    }
  })

  it('stay apart after one of them took another nick', () => {
    const labels = createLabels()
    labels.label(ANN, 'ann')
    labels.label(ANN, 'anna')
    assert.equal(labels.label(EVE, 'ann'), 'ann (…222222)')
  })

  it('show more of the did when somebody made a key that ends alike', () => {
    const labels = createLabels()
    labels.label(EVE, 'ann')
    const [twin, eve] = [labels.label(TWIN, 'ann'), labels.label(EVE, 'ann')]
    assert.notEqual(twin, eve)
    assert.equal(eve, 'ann (…BB222222)')
  })

  it('mark a nick that mixes alphabets to look like another', () => {
    assert.equal(createLabels().label(EVE, 'аnn'), 'аnn (…222222)')
    assert.equal(createLabels().label(EVE, 'Анна'), 'Анна')
  })

  it('are told apart even when more people share a nick than are remembered', () => {
    const labels = createLabels()
    const shown = Array.from({ length: 50 }, (_, n) => labels.label(`did:key:zuser${100_000 + n}`, 'ann'))
    assert.equal(new Set(shown.slice(1)).size, 49)
  })
})
