import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import { systemPrivateFiles, type Did } from '#did'
import { startNode, startPairing, type ElastosNode, type NodeInit, type Pairing } from '#node'
import type { Room } from '#rooms'
import { readPairingCode, writePairingCode } from '../../../node/devices/pairing-code.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

const FREE: Pick<NodeInit, 'listen' | 'mdns'> = { listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false }
/** Long enough for anything here; a file is read long before its tests run. */
const patience = (): AbortSignal => AbortSignal.timeout(120_000)

async function start(folder: string, name: string, peers: readonly ElastosNode[] = []): Promise<ElastosNode> {
  const bootstrap = peers.map((peer) => peer.host.addresses()[0] ?? '')
  return await startNode({ ...FREE, dataFolder: join(folder, name), bootstrap })
}

async function pair(folder: string, name: string): Promise<Pairing> {
  return await startPairing(
    { files: systemPrivateFiles, clock: systemClock, random: systemRandom, logger: silentLogger },
    { keysFolder: join(folder, name, 'keys'), reach: 'local', listen: FREE.listen ?? [] }
  )
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (isSo()) return
    await sleep(100)
  }
  assert.fail(`never: ${what}`)
}

/** The dialler may believe for a moment that it is let in; the other side never does. */
async function refused(dialler: ElastosNode, target: ElastosNode): Promise<void> {
  let wasIn = false
  using _watching = target.host.onPeer(
    ({ type, peerId }) => (wasIn ||= type === 'connected' && peerId === dialler.host.peerId)
  )
  await dialler.host.connect(target.host.addresses()[0] ?? '').catch(() => undefined)
  await until('the dialler notices', () => !knows(dialler, target.did)())
  assert.equal(wasIn, false)
}

/** The code that a device would show. */
function codeOf(node: ElastosNode): string {
  return writePairingCode({ device: node.did, key: new Uint8Array(16), addresses: [] })
}

const knows = (node: ElastosNode, device: Did) => (): boolean =>
  node.host.peers().some(({ did }) => did === device)
const hears = (room: Room, device: Did) => (): boolean =>
  room.members().some((member) => member.device === device)

describe('devices of a person', function () {
  this.timeout(120_000)

  it('a new device is certified by the code it shows, and speaks for the person', async () => {
    await using folder = await createTemporaryFolder()
    await using owner = await start(folder.path, 'owner')
    {
      await using pairing = await pair(folder.path, 'phone')
      const added = await owner.devices.add(pairing.code, { name: 'phone', signal: patience() })
      assert.equal(added.device, pairing.device)
      assert.equal(added.isDelivered, true)
      const identity = await pairing.finished
      assert.equal(identity.personDid, owner.personDid)
      assert.deepEqual(identity.status, { device: 'open', root: 'absent', publishing: 'absent' })
    }
    await using phone = await start(folder.path, 'phone', [owner])
    assert.equal(phone.personDid, owner.personDid)
    assert.notEqual(phone.did, owner.did)
    await until('they meet', knows(owner, phone.did))
    const names = owner.devices.list().map(({ name, device, isRevoked }) => ({ name, device, isRevoked }))
    assert.deepEqual(names, [
      { name: undefined, device: owner.did, isRevoked: false },
      { name: 'phone', device: phone.did, isRevoked: false }
    ])
    await assert.rejects(phone.devices.revoke(owner.did, { signal: patience() }), {
      code: 'ERR_PUBLISHER_KEY_MISSING'
    })
    await assert.rejects(owner.devices.revoke(owner.did, { signal: patience() }), { code: 'ERR_DEVICE_SELF' })
    await assert.rejects(owner.devices.revoke('tablet', { signal: patience() }), {
      code: 'ERR_DEVICE_UNKNOWN'
    })
  })

  it('without a network between them, the certificate is pasted', async () => {
    await using folder = await createTemporaryFolder()
    await using owner = await start(folder.path, 'owner')
    await using pairing = await pair(folder.path, 'phone')
    const [, encoded = ''] = pairing.code.split(':')
    assert.ok(encoded.length < 300, 'a code that a camera can read')
    const { code } = pairing
    // Where it listens is not true any more: nobody is there.
    const moved = writePairingCode({ ...readPairingCode(code), addresses: ['/ip4/127.0.0.1/tcp/9'] })
    const added = await owner.devices.add(moved, { signal: patience() })
    assert.equal(added.isDelivered, false)
    await assert.rejects(pairing.accept(added.certificate.slice(0, -2)), { code: 'ERR_PAIRING_CODE' })
    await assert.rejects(pairing.accept(code), { code: 'ERR_PAIRING_CODE' })
    const identity = await pairing.accept(`  ${added.certificate}\n`)
    assert.equal(identity.personDid, owner.personDid)
    assert.deepEqual(await pairing.finished, identity)
  })

  it('who has not seen the code can certify nothing', async () => {
    await using folder = await createTemporaryFolder()
    await using stranger = await start(folder.path, 'stranger')
    await using pairing = await pair(folder.path, 'phone')
    const guessed = writePairingCode({ ...readPairingCode(pairing.code), key: systemRandom.bytes(16) })
    const added = await stranger.devices.add(guessed, { signal: patience() })
    assert.equal(added.isDelivered, false)
    await using owner = await start(folder.path, 'owner')
    assert.equal((await owner.devices.add(pairing.code, { signal: patience() })).isDelivered, true)
    assert.equal((await pairing.finished).personDid, owner.personDid)
  })
})

describe('a revoked device', function () {
  this.timeout(180_000)

  it('is refused by each of several online peers within a minute: its words, its presence, its calls', async () => {
    await using folder = await createTemporaryFolder()
    const { path } = folder
    await using owner = await start(path, 'owner')
    {
      await using pairing = await pair(path, 'phone')
      await owner.devices.add(pairing.code, { name: 'phone', signal: patience() })
      await pairing.finished
    }
    // A row, so that most hear of it from others than the owner; the thief is with the last two.
    const rooms = new AsyncDisposableStack()
    await using running = new AsyncDisposableStack()
    const peers = [running.use(await start(path, 'peer0', [owner]))]
    for (const name of ['peer1', 'peer2', 'peer3'])
      peers.push(running.use(await start(path, name, peers.slice(-1))))
    const phone = running.use(await start(path, 'phone', peers.slice(-2)))
    running.use(rooms)
    const thief = rooms.use(await phone.rooms.join({ room: 'lobby', nick: 'phone' }))
    const readers = await Promise.all(
      peers.map(async (peer) => {
        const room = rooms.use(await peer.rooms.join({ room: 'lobby', nick: 'reader' }))
        const heard: string[] = []
        void (async () => {
          for await (const event of room.events()) if (event.type === 'message') heard.push(event.text)
        })()
        return { peer, room, heard }
      })
    )
    for (const { room } of readers) await until('a peer hears the phone', hears(room, phone.did))
    await thief.send('before')
    for (const { heard } of readers) await until('its words are read', () => heard.includes('before'))
    const revokedAtMs = performance.now()
    await owner.devices.revoke('phone', { signal: patience() })
    const tookMs = await Promise.all(
      readers.map(async ({ peer, room }) => {
        await until('a peer refuses the phone', () => !hears(room, phone.did)() && !knows(peer, phone.did)())
        return performance.now() - revokedAtMs
      })
    )
    assert.ok(Math.max(...tookMs) <= 60_000, `refused after ${tookMs.map(Math.round).join(', ')} ms`)
    console.log(
      `      refused by ${readers.length} peers after at most ${Math.round(Math.max(...tookMs))} ms`
    )
    for (const { peer } of readers) await refused(phone, peer)
    await thief.send('after')
    const owned = rooms.use(await owner.rooms.join({ room: 'lobby', nick: 'owner' }))
    await owned.send('done')
    for (const { heard } of readers) {
      await until('others are heard', () => heard.includes('done'))
      assert.equal(heard.includes('after'), false)
    }
  })

  it('is refused by peers that are online, and by others when they come back; for ever', async () => {
    await using folder = await createTemporaryFolder()
    const { path } = folder
    await using owner = await start(path, 'owner')
    let revoked = ''
    {
      await using pairing = await pair(path, 'phone')
      await owner.devices.add(pairing.code, { name: 'phone', signal: patience() })
      await pairing.finished
      revoked = pairing.device
    }
    // A row: owner, near, far. The phone knows the last two; who is away later is there at first.
    await using near = await start(path, 'near', [owner])
    await using far = await start(path, 'far', [near])
    {
      await using away = await start(path, 'away', [far])
      await using phone = await start(path, 'phone', [far, near])
      await using _phoneRoom = await phone.rooms.join({ room: 'lobby', nick: 'phone' })
      await using farRoom = await far.rooms.join({ room: 'lobby', nick: 'far' })
      {
        await using awayRoom = await away.rooms.join({ room: 'lobby', nick: 'away' })
        await until('far hears the phone', hears(farRoom, phone.did))
        await until('away hears the phone', hears(awayRoom, phone.did))
        const heard = farRoom.members().find(({ device }) => device === phone.did)
        assert.equal(heard?.author, owner.personDid)
      }
      await away[Symbol.asyncDispose]()
      const { told } = await owner.devices.revoke('phone', { signal: patience() })
      assert.ok(told >= 1, `${told} peers told`)
      await until('far lets the phone go', () => !knows(far, phone.did)())
      await until('near lets the phone go', () => !knows(near, phone.did)())
      await until('the phone is no member', () => !hears(farRoom, phone.did)())
      await refused(phone, far)
    }
    {
      await using back = await start(path, 'away', [far])
      await until('they meet again', knows(back, far.did))
      // On disk before anything else happens with it.
      await until('it hears what it missed', () =>
        readFileSync(join(path, 'away', 'devices.json'), 'utf8').includes(revoked)
      )
      await using stolen = await start(path, 'phone', [back])
      await until('away refuses it', () => !knows(back, stolen.did)())
      await refused(stolen, back)
    }
    // On disk: after a restart, and with nobody else to ask, it is refused all the same.
    await using alone = await start(path, 'away')
    await using stolen = await start(path, 'phone')
    await refused(stolen, alone)
    await assert.rejects(alone.host.connect(stolen.host.addresses()[0] ?? ''), { code: 'ERR_PEER_DENIED' })
    await assert.rejects(owner.devices.add(codeOf(stolen), { signal: patience() }), {
      code: 'ERR_DEVICE_REVOKED'
    })
  })
})
