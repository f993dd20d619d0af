import assert from 'node:assert/strict'
import { certifyDevice, createKeyPair, peerIdFromDid, type KeyPair } from '#did'
import { createReceiver, sealMessage, type MessageFields, type Receiver } from '#rooms'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts'

const random = createSeededRandom(7)
const device = createKeyPair(random)
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

interface Setup {
  readonly clock: VirtualClock
  readonly receiver: Receiver
  readonly say: (fields?: Partial<MessageFields>, signer?: KeyPair) => Uint8Array
}

function setUp(): Setup {
  const clock = createVirtualClock()
  let sequence = 1_000
  return {
    clock,
    receiver: createReceiver({ room: 'lobby', clock }),
    say: (fields = {}, signer = device) => {
      const base = {
        room: 'lobby',
        author: signer.did,
        sequence: sequence++,
        sentAtMs: clock.nowMs(),
        nick: 'ann'
      }
      return sealMessage(signer, { ...base, kind: 'text', text: 'hi', ...fields })
    }
  }
}

const code = (name: string): { code: string } => ({ code: name })

describe('a receiver', () => {
  it('takes a message once', () => {
    const { receiver, say } = setUp()
    const bytes = say()
    assert.equal(receiver.take(bytes, 'peer').text, 'hi')
    assert.throws(() => receiver.take(bytes, 'peer'), code('ERR_MESSAGE_REPLAYED'))
    assert.throws(() => receiver.take(bytes, 'another peer'), code('ERR_MESSAGE_REPLAYED'))
  })

  it('takes messages out of order within the window, each once', () => {
    const { receiver, say } = setUp()
    for (const sequence of [500, 300, 499, 501, 246]) receiver.take(say({ sequence }), 'peer')
    for (const sequence of [500, 300, 499, 501, 246, 245, 1]) {
      assert.throws(
        () => receiver.take(say({ sequence }), 'peer'),
        code('ERR_MESSAGE_REPLAYED'),
        `${sequence}`
      )
    }
  })

  it('notes a clock that is off, and drops what is two days away', () => {
    const { clock, receiver, say } = setUp()
    const at = (offMs: number): Uint8Array => say({ sentAtMs: clock.nowMs() + offMs })
    assert.equal(receiver.take(at(5 * MINUTE_MS), 'peer').clockOffMs, undefined)
    assert.equal(receiver.take(at(-6 * MINUTE_MS), 'peer').clockOffMs, -6 * MINUTE_MS)
    assert.equal(receiver.take(at(48 * HOUR_MS), 'peer').clockOffMs, 48 * HOUR_MS)
    assert.throws(() => receiver.take(at(48 * HOUR_MS + 1), 'peer'), code('ERR_MESSAGE_TIME'))
    assert.throws(() => receiver.take(at(-48 * HOUR_MS - 1), 'peer'), code('ERR_MESSAGE_TIME'))
  })

  it('limits an author over all devices, and a replay does not use up what the author may send', async () => {
    const { clock, receiver, say } = setUp()
    const person = createKeyPair(random)
    const devices = [createKeyPair(random), createKeyPair(random)].map((key) => ({
      key,
      certificate: certifyDevice(person, { device: key.did, issuedAtMs: 0 })
    }))
    const sayAs = (n: number): Uint8Array => {
      const { key, certificate } = devices[n % 2]!
      const fields = { room: 'lobby', author: person.did, sequence: n, sentAtMs: clock.nowMs(), nick: 'ann' }
      return sealMessage(key, { ...fields, kind: 'text', text: `${n}` }, certificate)
    }
    const first = sayAs(0)
    receiver.take(first, 'peer')
    for (let n = 0; n < 50; n++) {
      assert.throws(() => receiver.take(first, 'peer'), code('ERR_MESSAGE_REPLAYED'))
    }
    for (let n = 1; n < 20; n++) receiver.take(sayAs(n), 'peer')
    assert.throws(() => receiver.take(sayAs(20), 'peer'), code('ERR_MESSAGE_RATE'))
    receiver.take(say(), 'peer')
    await clock.advance(1_000)
    for (let n = 21; n < 26; n++) receiver.take(sayAs(n), 'peer')
    assert.throws(() => receiver.take(sayAs(26), 'peer'), code('ERR_MESSAGE_RATE'))
  })

  it('limits what one peer can make it verify, before verifying', () => {
    const { receiver, say } = setUp()
    const junk = new Uint8Array(100)
    for (let n = 0; n < 400; n++)
      assert.throws(() => receiver.take(junk, 'flooder'), code('ERR_MESSAGE_MALFORMED'))
    assert.throws(() => receiver.take(junk, 'flooder'), code('ERR_MESSAGE_RATE'))
    receiver.take(say(), 'honest')
  })

  it('takes a presence from its own device again and again, and from nobody else', () => {
    const { receiver, say } = setUp()
    const presence = sealPresence(device, 5)
    const peerId = peerIdFromDid(device.did)
    assert.equal(receiver.takeDirect(presence, peerId).nick, 'ann')
    assert.equal(receiver.takeDirect(presence, peerId).nick, 'ann')
    assert.throws(() => receiver.takeDirect(presence, 'another'), code('ERR_MESSAGE_MALFORMED'))
    assert.throws(() => receiver.takeDirect(say(), peerId), code('ERR_MESSAGE_MALFORMED'))
    assert.equal(receiver.sequenceSeen(device.did), 5)
  })

  it('believes hearsay only while it is fresh and new', async () => {
    const { clock, receiver } = setUp()
    const presence = sealPresence(device, 5)
    assert.equal(receiver.takeHearsay(presence).isNews, true)
    assert.equal(receiver.takeHearsay(presence).isNews, false)
    const another = sealPresence(createKeyPair(random), 5)
    await clock.advance(2 * MINUTE_MS)
    assert.equal(receiver.takeHearsay(another).isNews, false)
  })

  it('drops who is denied, as a person or as a device', () => {
    const clock = createVirtualClock()
    const person = createKeyPair(random)
    const certificate = certifyDevice(person, { device: device.did, issuedAtMs: 0 })
    const fields = {
      room: 'lobby',
      sequence: 1,
      sentAtMs: clock.nowMs(),
      nick: 'ann',
      kind: 'leave'
    } as const
    const bytes = sealMessage(device, { ...fields, author: person.did }, certificate)
    for (const did of [person.did, device.did]) {
      const receiver = createReceiver({ room: 'lobby', clock, isDenied: (other) => other === did })
      assert.throws(() => receiver.take(bytes, 'peer'), code('ERR_MESSAGE_DENIED'))
    }
  })

  it('drops what a revoked device says for its person from the moment it knows, and nothing else', () => {
    const { clock } = setUp()
    const [ann, eve] = [createKeyPair(random), createKeyPair(random)]
    const certificate = certifyDevice(ann, { device: device.did, issuedAtMs: 0 })
    const revoked = new Set<string>()
    const receiver = createReceiver({
      ...{ room: 'lobby', clock },
      isRevoked: (person, one) => revoked.has(`${person} ${one}`)
    })
    const say = (sequence: number, author = ann.did): Uint8Array => {
      const base = { room: 'lobby', author, sequence, sentAtMs: clock.nowMs(), nick: 'ann' }
      return sealMessage(
        device,
        { ...base, kind: 'text', text: 'hi' },
        author === ann.did ? certificate : undefined
      )
    }
    assert.equal(receiver.take(say(1), 'peer').author, ann.did)
    revoked.add(`${eve.did} ${device.did}`)
    assert.equal(receiver.take(say(2), 'peer').author, ann.did)
    revoked.add(`${ann.did} ${device.did}`)
    assert.throws(() => receiver.take(say(3), 'peer'), code('ERR_MESSAGE_REVOKED'))
    // It is still somebody, though nobody's.
    assert.equal(receiver.take(say(4, device.did), 'peer').author, device.did)
  })

  it('refuses a certificate that changed, though it knew a valid one of the device', () => {
    const { clock, receiver } = setUp()
    const [ann, eve] = [createKeyPair(random), createKeyPair(random)]
    const claim = { device: device.did, issuedAtMs: 0 }
    const base = { room: 'lobby', sentAtMs: clock.nowMs(), nick: 'ann', kind: 'text', text: 'hi' } as const
    receiver.take(
      sealMessage(device, { ...base, author: ann.did, sequence: 1 }, certifyDevice(ann, claim)),
      'peer'
    )
    const forged = sealMessage(device, { ...base, author: ann.did, sequence: 2 }, certifyDevice(eve, claim))
    assert.throws(() => receiver.take(forged, 'peer'), code('ERR_MESSAGE_CERTIFICATE'))
  })
})

function sealPresence(signer: KeyPair, sequence: number): Uint8Array {
  const base = { room: 'lobby', author: signer.did, sequence, sentAtMs: 1_800_000_000_000, nick: 'ann' }
  return sealMessage(signer, { ...base, kind: 'presence' })
}
