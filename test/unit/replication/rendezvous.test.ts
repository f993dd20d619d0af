import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseDid } from '#did'
import { dutyOrder, place, scoreOf, seedOf } from '#replication'

interface Vectors {
  readonly scores: readonly { root: string; holder: string; weight: number; score: number }[]
  readonly placements: readonly {
    root: string
    bytes: number
    copies: number
    offers: readonly {
      holder: string
      person: string
      spaceBytes: number
      freeBytes: number
      host: string
      network: string
    }[]
    placed: readonly string[]
  }[]
}

const vectors = JSON.parse(
  readFileSync(join(import.meta.dirname, '..', '..', 'vectors', 'replication', 'placement.json'), 'utf8')
) as Vectors

describe('rendezvous hashing', () => {
  it('gives the scores of the vectors, to the last bit', () => {
    for (const { root, holder, weight, score } of vectors.scores) {
      assert.equal(scoreOf(seedOf(root), seedOf(holder), weight), score)
    }
  })

  it('follows -ln(u) closely enough that a doubled weight doubles the score', () => {
    const [root, holder] = [seedOf('root'), seedOf('holder')]
    assert.equal(scoreOf(root, holder, 2), 2 * scoreOf(root, holder, 1))
  })

  it('places as the vectors say', () => {
    for (const { placed, offers, ...init } of vectors.placements) {
      const parsed = offers.map((offer) => ({
        ...offer,
        holder: parseDid(offer.holder),
        person: parseDid(offer.person)
      }))
      const holders = place({ ...init, offers: parsed }).map(({ holder }) => holder)
      assert.deepEqual(holders, placed)
    }
  })

  it('orders duties the same from any order of devices, each once', () => {
    const devices = vectors.placements.flatMap(({ offers }) => offers.map(({ holder }) => parseDid(holder)))
    const order = dutyOrder('root', devices)
    assert.deepEqual(dutyOrder('root', [...devices, ...devices].reverse()), order)
    assert.equal(new Set(order).size, order.length)
  })
})
