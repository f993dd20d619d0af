import assert from 'node:assert/strict'
import { planBootstrap } from '#bootstrap'
import { keyPairFromSeed, peerIdFromDid } from '#did'

const { did } = keyPairFromSeed(new Uint8Array(32))
const peer = `/ip4/192.0.2.1/tcp/4001/p2p/${peerIdFromDid(did)}`
const otherDid = keyPairFromSeed(new Uint8Array(32).fill(1)).did

describe('--bootstrap values', () => {
  it('are peers and seeds, pinned or not', () => {
    const plan = planBootstrap([peer, 'http://seed.example:4480', `https://other.example#${did}`])
    assert.deepEqual(plan, {
      peers: [peer],
      seeds: [{ url: 'http://seed.example:4480' }, { url: 'https://other.example', pin: did }]
    })
  })

  it('count once when they are given twice, and a pin wins over none', () => {
    const url = 'http://seed.example:4480'
    const plan = planBootstrap([peer, peer, url, `${url}/`, `HTTP://SEED.example:4480#${did}`, url])
    assert.deepEqual(plan, { peers: [peer], seeds: [{ url, pin: did }] })
  })

  it('may name a relay on the way, an IPv6 host and a DNS name', () => {
    const relayed = `${peer}/p2p-circuit/p2p/${peerIdFromDid(otherDid)}`
    const named = `/dns4/seed.example/tcp/443/wss/p2p/${peerIdFromDid(did)}`
    assert.deepEqual(planBootstrap([relayed, named, 'http://[::1]:4480']), {
      peers: [relayed, named],
      seeds: [{ url: 'http://[::1]:4480' }]
    })
  })

  const wrong: [string, string][] = [
    ['', 'ERR_BOOTSTRAP_VALUE'],
    ['seed.example:4480', 'ERR_BOOTSTRAP_VALUE'],
    ['seed.example', 'ERR_BOOTSTRAP_VALUE'],
    [did, 'ERR_BOOTSTRAP_VALUE'],
    ['/ip4/300.0.0.1/tcp/1', 'ERR_BOOTSTRAP_VALUE'],
    ['/nonsense', 'ERR_BOOTSTRAP_VALUE'],
    ['/', 'ERR_BOOTSTRAP_VALUE'],
    [`/dns4/\u001b[31m/tcp/1/p2p/${peerIdFromDid(did)}`, 'ERR_BOOTSTRAP_VALUE'],
    ['http://', 'ERR_BOOTSTRAP_VALUE'],
    [`/ip4/192.0.2.1/${'tcp/1/'.repeat(1000)}`, 'ERR_BOOTSTRAP_VALUE'],
    ['/ip4/192.0.2.1/tcp/4001', 'ERR_BOOTSTRAP_PEER_ID'],
    [`/p2p/${peerIdFromDid(did)}`, 'ERR_BOOTSTRAP_PEER_ID'],
    [`${peer}/p2p-circuit`, 'ERR_BOOTSTRAP_PEER_ID'],
    ['/ip4/192.0.2.1/tcp/1/p2p/QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC', 'ERR_BOOTSTRAP_PEER_ID'],
    ['ftp://seed.example', 'ERR_BOOTSTRAP_URL'],
    ['http://me:secret@seed.example', 'ERR_BOOTSTRAP_URL'],
    ['http://seed.example/path', 'ERR_BOOTSTRAP_URL'],
    ['http://seed.example/?q=1', 'ERR_BOOTSTRAP_URL'],
    ['http://seed.example?', 'ERR_BOOTSTRAP_URL'],
    ['http://seed.example#', 'ERR_BOOTSTRAP_PIN'],
    [`http://seed.example#${did}x`, 'ERR_BOOTSTRAP_PIN'],
    ['http://seed.example#did:web:seed.example', 'ERR_BOOTSTRAP_PIN'],
    [`http://seed.example##${did}`, 'ERR_BOOTSTRAP_PIN']
  ]

  for (const [value, code] of wrong) {
    it(`are refused with ${code}: ${value.slice(0, 60)}`, () => {
      assert.throws(
        () => planBootstrap([value]),
        (thrown: Error & { code?: string }) => {
          assert.equal(thrown.code, code, thrown.message)
          assert.ok(thrown.message.length < 400)
          return true
        }
      )
    })
  }

  it('that are refused are shown without what a terminal would obey', () => {
    assert.throws(
      () => planBootstrap(['\u001b]0;owned\u0007\u009b31m\u202e']),
      (thrown: Error) => {
        assert.match(thrown.message, /^[\x20-\x7e…]*$/)
        return true
      }
    )
  })

  it('are refused when one seed has two dids, or when they are too many', () => {
    const url = 'http://seed.example'
    assert.throws(() => planBootstrap([`${url}#${did}`, `${url}#${otherDid}`]), { code: 'ERR_BOOTSTRAP_PIN' })
    assert.throws(() => planBootstrap(Array<string>(17).fill(peer)), { code: 'ERR_BOOTSTRAP_TOO_MANY' })
  })
})
