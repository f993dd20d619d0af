import assert from 'node:assert/strict'
import { publicKeyFromRaw } from '@libp2p/crypto/keys'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { base36 } from 'multiformats/bases/base36'
import { base58btc } from 'multiformats/bases/base58'
import { systemRandom } from '#contracts'
import {
  createKeyPair,
  didFromIpnsName,
  didFromPeerId,
  didFromPublicKey,
  ipnsNameFromDid,
  parseDid,
  peerIdFromDid,
  publicKeyFromDid
} from '#did'

// The example of the did:key specification, §"Ed25519", and its key.
const KNOWN_DID = 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'

describe('names of a key', () => {
  it('agree with libp2p and IPNS', () => {
    const { did, publicKey } = createKeyPair(systemRandom)
    const peerId = peerIdFromPublicKey(publicKeyFromRaw(publicKey))
    assert.equal(peerIdFromDid(did), peerId.toString())
    assert.equal(ipnsNameFromDid(did), peerId.toCID().toString(base36))
  })

  it('lead back to the same key', () => {
    const { did, publicKey } = createKeyPair(systemRandom)
    assert.deepEqual(publicKeyFromDid(did), publicKey)
    assert.equal(didFromPublicKey(publicKey), did)
    assert.equal(didFromPeerId(peerIdFromDid(did)), did)
    assert.equal(didFromIpnsName(ipnsNameFromDid(did)), did)
    assert.match(peerIdFromDid(did), /^12D3KooW/)
    assert.match(ipnsNameFromDid(did), /^k51/)
  })

  it('read the did:key of the specification', () => {
    assert.equal(parseDid(KNOWN_DID), KNOWN_DID)
    assert.equal(
      Buffer.from(publicKeyFromDid(KNOWN_DID)).toString('hex'),
      '2e6fcce36701dc791488e0d0b1745cc1e33a4c1c9fcc41c63bd343dbbe0970e6'
    )
  })

  const key = [...publicKeyFromDid(KNOWN_DID)]
  const wrongDids: Record<string, string> = {
    nothing: '',
    'another method': KNOWN_DID.replace('did:key', 'did:web'),
    'no multibase prefix': KNOWN_DID.replace(':z6', ':6'),
    'a fragment': `${KNOWN_DID}#${KNOWN_DID.slice(8)}`,
    'white space': ` ${KNOWN_DID}`,
    'a line feed at the end': `${KNOWN_DID}\n`,
    'a leading 1 more, a second spelling of zero bytes': KNOWN_DID.replace(':z6', ':z16'),
    'a character outside base58': KNOWN_DID.replace('XgB', 'X0B'),
    'an X25519 key': `did:key:${base58btc.encode(Uint8Array.of(0xec, 0x01, ...key))}`,
    'a long varint for the codec': `did:key:${base58btc.encode(Uint8Array.of(0xed, 0x81, 0x00, ...key))}`,
    'a byte too many': `did:key:${base58btc.encode(Uint8Array.of(0xed, 0x01, ...key, 0))}`,
    'a byte too few': `did:key:${base58btc.encode(Uint8Array.of(0xed, 0x01, ...key.slice(1)))}`,
    'another multibase': `did:key:${base36.encode(Uint8Array.of(0xed, 0x01, ...key))}`,
    'a key of small order': `did:key:${base58btc.encode(Uint8Array.of(0xed, 0x01, 1, ...Array<number>(31).fill(0)))}`,
    'a key that is not reduced': `did:key:${base58btc.encode(Uint8Array.of(0xed, 0x01, ...Array<number>(32).fill(255)))}`,
    'a text of a megabyte': `did:key:z${'6'.repeat(1_000_000)}`
  }

  for (const [what, text] of Object.entries(wrongDids)) {
    it(`refuse as a did: ${what}`, () => {
      assert.throws(
        () => parseDid(text),
        (thrown: Error & { code?: string }) => {
          assert.equal(thrown.code, 'ERR_DID_INVALID')
          assert.ok(thrown.message.length < 300)
          return true
        }
      )
    })
  }

  const wrongPeerIds: Record<string, string> = {
    'a CID form': peerIdFromPublicKey(publicKeyFromRaw(Uint8Array.from(key)))
      .toCID()
      .toString(),
    'an RSA PeerId': 'QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC',
    'trailing bytes': base58btc.encode(Uint8Array.of(0x00, 0x24, 8, 1, 0x12, 0x20, ...key, 0)).slice(1),
    'a secp256k1 key': base58btc.encode(Uint8Array.of(0x00, 0x24, 8, 2, 0x12, 0x20, ...key)).slice(1),
    'a did': KNOWN_DID
  }

  for (const [what, text] of Object.entries(wrongPeerIds)) {
    it(`refuse as a PeerId: ${what}`, () => {
      assert.throws(() => didFromPeerId(text), { code: 'ERR_PEER_ID_INVALID' })
    })
  }

  const name = ipnsNameFromDid(KNOWN_DID)
  const wrongNames: Record<string, string> = {
    'upper case': name.toUpperCase(),
    'a path': `/ipns/${name}`,
    'base58 of the same CID': base58btc.encode(base36.decode(name)),
    'another codec': base36.encode(Uint8Array.of(1, 0x70, ...base36.decode(name).slice(2))),
    'a leading zero': name.replace('k', 'k0')
  }

  for (const [what, text] of Object.entries(wrongNames)) {
    it(`refuse as an IPNS name: ${what}`, () => {
      assert.throws(() => didFromIpnsName(text), { code: 'ERR_IPNS_NAME_INVALID' })
    })
  }

  it('refuse a public key that could never sign soundly', () => {
    assert.throws(() => didFromPublicKey(new Uint8Array(32)), { code: 'ERR_KEY_INVALID' })
    assert.throws(() => didFromPublicKey(new Uint8Array(33).fill(9)), { code: 'ERR_KEY_INVALID' })
  })
})
