import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  encodeCanonical,
  createKeyPair,
  openEnvelope,
  sealEnvelope,
  verifySignature,
  type KeyPair
} from '#did'
import { createSignPower } from '../../../../node/host-powers/sign.ts'
import { powerRequest } from '../../../support/power-requests.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'

const random = createSeededRandom(9)
const device = createKeyPair(random)
const person = createKeyPair(random)

/** Envelopes that mean something to this program or to its peers. */
const OURS = [
  { domain: 'elastos/identity', type: 'device-certificate/1' },
  { domain: 'elastos/identity', type: 'device-statement/1' },
  { domain: 'elastos/room/1', type: 'message/1' },
  { domain: 'elastos/capsule', type: 'release/1' },
  { domain: 'elastos/capability/1', type: 'token/1' },
  { domain: 'elastos/publisher-index', type: 'index/1' },
  { domain: 'elastos/audit', type: 'head/1' },
  { domain: 'elastos/pairing/1', type: 'request/1' },
  { domain: 'elastos/bootstrap', type: 'record/1' }
] as const

function power(publisher: KeyPair | undefined = person): ReturnType<typeof createSignPower>['provider'] {
  const keystore = {
    device,
    personDid: person.did,
    publisher: () => publisher,
    refresh: async () => undefined
  }
  return createSignPower({ keystore }).provider
}

async function sign(data: Uint8Array, signer: KeyPair = device): Promise<Uint8Array> {
  const params = { did: signer.did, data: Buffer.from(data).toString('base64') }
  const { envelope } = (await power().call(powerRequest('did/sign', params))) as { envelope: string }
  return Uint8Array.from(Buffer.from(envelope, 'base64'))
}

describe('the power to sign', () => {
  it('signs nothing that opens as an envelope of ours, whatever a capsule gives it', async () => {
    for (const labels of OURS) {
      for (const signer of [device, person]) {
        const genuine = sealEnvelope(signer, { ...labels, payload: { any: 'thing' } })
        const body = encodeCanonical([
          'elastos/envelope/1',
          labels.domain,
          labels.type,
          signer.publicKey,
          encodeCanonical({ any: 'thing' })
        ])
        for (const data of [genuine, body, encodeCanonical({ any: 'thing' })]) {
          const signed = await sign(data, signer)
          assert.throws(() => openEnvelope(signed, { ...labels, bytesMax: 65_536 }), {
            code: /^ERR_ENVELOPE_/
          })
        }
      }
    }
  })

  it('never signs bytes of a capsule’s choice themselves', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (data) => {
        const signed = await sign(data)
        // The signature is the last element of the envelope.
        const signature = signed.slice(-64)
        assert.equal(verifySignature(device.publicKey, data, signature), false)
      }),
      { numRuns: 50 }
    )
  })

  it('binds the lineage of the caller, which nobody else can claim', async () => {
    const params = { did: device.did, data: 'aGVsbG8=' }
    const { envelope } = (await power().call(powerRequest('did/sign', params))) as { envelope: string }
    const verified = await power().call(powerRequest('did/verify', { did: device.did, envelope }))
    assert.deepEqual(verified, { isValid: true, lineage: 'did:key:z6MkAuthor/notes', data: 'aGVsbG8=' })
  })

  it('takes no envelope of another domain for one of a capsule', async () => {
    for (const labels of OURS) {
      const payload = { lineage: 'did:key:z6MkAuthor/notes', data: new Uint8Array(3) }
      const envelope = Buffer.from(sealEnvelope(device, { ...labels, payload })).toString('base64')
      const answer = await power().call(powerRequest('did/verify', { did: device.did, envelope }))
      assert.deepEqual(answer, { isValid: false })
    }
  })

  it('refuses to sign as the person when that key is locked, and as anybody else', async () => {
    const keystore = {
      device,
      personDid: person.did,
      publisher: () => undefined,
      refresh: async () => undefined
    }
    const { provider } = createSignPower({ keystore })
    const asPerson = powerRequest('did/sign', { did: person.did, data: '' })
    await assert.rejects(provider.call(asPerson), { code: 'ERR_KEY_LOCKED' })
    const asStranger = powerRequest('did/sign', { did: createKeyPair(random).did, data: '' })
    await assert.rejects(provider.call(asStranger), { code: 'ERR_PERSONA_UNKNOWN' })
  })
})
