import assert from 'node:assert/strict'
import fc from 'fast-check'
import { openBootstrapRecord, planBootstrap, sealBootstrapRecord } from '#bootstrap'
import { keyPairFromSeed, peerIdFromDid } from '#did'

const NETWORK = '/elastos/kad/1.0.0'
const signer = keyPairFromSeed(new Uint8Array(32).fill(1))
const peer = `/ip4/192.0.2.1/tcp/4001/p2p/${peerIdFromDid(signer.did)}`
const claim = { addresses: [peer], network: NETWORK, issuedAtMs: 1_800_000_000_000, validForMs: 60_000 }

function codeOf(act: () => unknown): string {
  try {
    act()
  } catch (thrown) {
    assert.equal((thrown as Error).name, 'BootstrapError', String(thrown))
    return (thrown as { code: string }).code
  }
  return 'accepted'
}

describe('properties of what strangers give a node to start from', () => {
  it('any changed byte of a record is refused', () => {
    const sealed = sealBootstrapRecord(signer, claim)
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = sealed.with(at, (sealed[at] ?? 0) ^ change)
        const open = (): unknown =>
          openBootstrapRecord(changed, { network: NETWORK, nowMs: claim.issuedAtMs })
        assert.equal(codeOf(open), 'ERR_RECORD_INVALID')
      }),
      { numRuns: 500 }
    )
  })

  it('a record holds from an hour before its time to its last millisecond', () => {
    const sealed = sealBootstrapRecord(signer, claim)
    fc.assert(
      fc.property(fc.integer({ min: -7_200_000, max: 7_200_000 }), (offsetMs) => {
        const nowMs = claim.issuedAtMs + offsetMs
        const code = codeOf(() => openBootstrapRecord(sealed, { network: NETWORK, nowMs }))
        const early = offsetMs < -3_600_000 ? 'ERR_RECORD_EARLY' : 'accepted'
        assert.equal(code, offsetMs >= 60_000 ? 'ERR_RECORD_EXPIRED' : early)
      })
    )
  })

  it('a value is a peer, a seed, or refused with a code and a line that is safe to print', () => {
    const pieces = fc.constantFrom(
      'http://',
      'https://',
      '/ip4/',
      '/dns4/',
      '/tcp/1',
      '/p2p/',
      '#',
      signer.did,
      peer,
      'a.example',
      ':80',
      '/',
      '@',
      '?',
      '127.0.0.1',
      '[::1]',
      '\u001b[2J',
      '%00',
      ' '
    )
    const values = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(pieces, { maxLength: 8 }).map((list) => list.join(''))
    )
    fc.assert(
      fc.property(values, (value) => {
        try {
          const plan = planBootstrap([value])
          assert.equal(plan.peers.length + plan.seeds.length, 1)
          for (const text of [...plan.peers, ...plan.seeds.map(({ url }) => url)])
            assert.match(text, /^[!-~]+$/)
        } catch (thrown) {
          assert.equal((thrown as Error).name, 'BootstrapError', String(thrown))
          assert.match((thrown as Error).message, /^[\x20-\x7e…]{1,400}$/)
        }
      }),
      { numRuns: 2000 }
    )
  })
})
