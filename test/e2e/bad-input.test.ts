/** What people and peers can get wrong: each gets a code, and the node goes on. */
import assert from 'node:assert/strict'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { encode, prepare } from '@ipld/dag-pb'
import { multiaddr } from '@multiformats/multiaddr'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import { UnixFS } from 'ipfs-unixfs'
import { CONTROL_LIMITS } from '#contracts'
import type { Host } from '#dht'
import { startNode } from '#node'
import { MESSAGE_BYTES_MAX, roomTopic } from '#rooms'
import { startTestHost, until } from '../net/dht/hosts.ts'
import { createCliHome, type CliHome } from '../support/cli.ts'
import { assertRefused, startCliNode, startCliSeed, type CliNode } from '../support/cli-node.ts'

describe('bad input', function () {
  this.timeout(60_000)
  let home: CliHome
  let seed: CliNode
  let node: CliNode
  let bootstrap: string
  const inHome = (name: string): string => join(home.folder, name)

  before(async () => {
    home = await createCliHome()
    seed = await startCliSeed(home, inHome('seed'))
    bootstrap = String(seed.status['bootstrapUrl'])
    node = await startCliNode(home, inHome('node'), { flags: ['--bootstrap', bootstrap] })
  })
  after(async () => {
    await node.stop()
    await seed.stop()
    assert.deepEqual(await home.running(), [])
    await home[Symbol.asyncDispose]()
  })
  afterEach(async () => {
    await node.answers()
  })

  const log = async (): Promise<string> => (await node.run(['node', 'logs', '--lines', '10000'])).stdout

  describe('content', () => {
    it('a CID that nobody has', async () => {
      const { digest } = await sha256.digest(new TextEncoder().encode('nobody ever added this'))
      const cid = CID.createV1(0x55, await sha256.digest(digest)).toString()
      assertRefused(await node.run(['get', cid, '-o', inHome('x')]), 'ERR_CONTENT_NO_PROVIDERS')
    })

    it('a CID whose only provider is offline', async () => {
      const gone = await startCliNode(home, inHome('gone'), { flags: ['--bootstrap', bootstrap] })
      await writeFile(inHome('unreachable'), 'on a device that is off')
      const { json } = await gone.succeed(['add', inHome('unreachable')])
      assert.equal(json?.['isAnnounced'], true)
      await gone.stop()
      assertRefused(
        await node.run(['get', String(json['cid']), '-o', inHome('x')]),
        'ERR_PROVIDER_UNREACHABLE'
      )
    })

    it('what is no CID, or one this node cannot check', async () => {
      for (const text of ['hello', 'bafy', 'b'.repeat(5000), '12D3KooW', '/ipns/x']) {
        assertRefused(
          await node.run(['get', text, '-o', inHome('x')]),
          'ERR_CID_INVALID',
          'ERR_CONTROL_MESSAGE'
        )
      }
      const blake = CID.createV1(0x55, {
        code: 0x1e,
        size: 32,
        digest: new Uint8Array(32),
        bytes: new Uint8Array([0x1e, 32, ...new Uint8Array(32)])
      })
      assertRefused(await node.run(['get', blake.toString(), '-o', inHome('x')]), 'ERR_CID_UNSUPPORTED')
    })

    it('paths that lead outside: in a target, by a link, in the content of a stranger', async () => {
      await mkdir(inHome('tree/inner'), { recursive: true })
      await writeFile(inHome('secret'), 'not part of it')
      await writeFile(inHome('tree/inner/file'), 'part of it')
      await symlink('../../secret', inHome('tree/inner/out'))
      await symlink('/etc/passwd', inHome('tree/absolute'))
      await symlink('file', inHome('tree/inner/in'))
      const { json } = await node.succeed(['add', inHome('tree')])
      const skipped = json?.['skipped'] as string[]
      assert.equal(skipped.length, 2)
      assert.ok(skipped.every((text) => /link-outside/.test(text)))
      const cid = String(json?.['cid'])
      for (const path of [`${cid}/..`, `${cid}/../${cid}`, `${cid}/inner/../../secret`, `${cid}//inner`]) {
        assertRefused(await node.run(['get', path, '-o', inHome('x')]), 'ERR_CID_INVALID')
        assertRefused(await node.run(['ls', path]), 'ERR_CID_INVALID')
      }
      assertRefused(await node.run(['get', `${cid}/nothing`, '-o', inHome('x')]), 'ERR_ENTRY_NOT_FOUND')
      await node.succeed(['get', cid, '-o', inHome('copy')])
      assert.equal(await readFile(inHome('copy/inner/in'), 'utf8'), 'part of it')
    })

    it('a folder of a stranger whose names lead outside', async () => {
      await using stranger = await startNode({
        dataFolder: inHome('stranger'),
        bootstrap: [bootstrap],
        mdns: false
      })
      await stranger.host.ready(AbortSignal.timeout(20_000))
      const options = { codec: 'raw', public: true } as const
      const file = await stranger.content.putBlock(new TextEncoder().encode('pwned'), options)
      for (const name of ['../pwned', '..', '/tmp/pwned', 'a\0b']) {
        const folder = encode(
          prepare({
            Data: new UnixFS({ type: 'directory' }).marshal(),
            Links: [{ Name: name, Tsize: 5, Hash: file.cid }]
          })
        )
        const { cid } = await stranger.content.putBlock(folder, options)
        const target = CID.createV1(0x70, cid.multihash).toString()
        assertRefused(
          await node.run(['get', target, '-o', inHome('hostile'), '--deadline', '20']),
          'ERR_PATH_UNSAFE',
          'ERR_DAG_MALFORMED'
        )
      }
    })
  })

  it('a capsule whose manifest is malformed is neither built nor published', async () => {
    const folder = inHome('broken')
    await home.run(['capsule', 'new', 'broken', '--folder', folder])
    const path = join(folder, 'capsule.json')
    const good = await readFile(path, 'utf8')
    const wrong: Record<string, string> = {
      'not JSON': good.slice(0, -10),
      'an unknown field': good.replace('{', '{ "surprise": true,'),
      'no name': good.replace(/"name":[^,]*,/, ''),
      'a name that steers a terminal': good.replace('broken', 'bro\\u001b[2Jken'),
      'an entry outside': good.replace(/"entry": *"[^"]*"/, '"entry": "../../etc/passwd"'),
      'a megabyte': good.replace('{', `{${' '.repeat(1024 * 1024)}`)
    }
    for (const [what, manifest] of Object.entries(wrong)) {
      await writeFile(path, manifest)
      for (const command of ['build', 'publish']) {
        const result = await node.run(['capsule', command, folder])
        const { code, message } = assertRefused(result, 'ERR_MANIFEST_INVALID', 'ERR_MANIFEST_TOO_LARGE')
        assert.ok(code !== '' && !hasControls(message), `${what}: ${JSON.stringify(message)}`)
      }
    }
  })

  it('a folder that is not there is not called unsigned', async () => {
    assertRefused(await node.run(['capsule', 'run', inHome('nowhere')]), 'ERR_PACKAGE_INVALID')
  })

  describe('wire messages far over their limits', () => {
    // A new one each time: the node hangs up on who did this before.
    let attacker: Host
    beforeEach(async () => {
      attacker = await startTestHost()
    })
    afterEach(async () => {
      await attacker[Symbol.asyncDispose]()
    })

    /** A length prefix of 1 GiB and up to 8 MiB of what it promises; false when the node has hung up on us before. */
    const flood = async (protocol: string): Promise<boolean> => {
      const stream = await attacker.libp2p.dialProtocol(multiaddr(address()), protocol).catch(() => undefined)
      if (stream === undefined) return false
      const chunk = new Uint8Array(64 * 1024)
      try {
        stream.send(Uint8Array.from([0x80, 0x80, 0x80, 0x80, 0x04]))
        for (let sent = 0; sent < 8 * 1024 * 1024; sent += chunk.length) {
          if (!stream.send(chunk)) await stream.onDrain({ signal: AbortSignal.timeout(2_000) })
        }
      } catch {
        // It was closed, or nobody reads it any more: both are fine.
      }
      stream.abort(new Error('enough'))
      return true
    }
    const address = (): string => node.status.addresses.find((text) => !text.includes('/ws')) ?? ''

    for (const protocol of ['/ipfs/bitswap/1.2.0', '/elastos/kad/1.0.0', '/meshsub/1.1.0']) {
      it(`on ${protocol}: nothing of it is kept`, async () => {
        const before = await residentBytes(node.status.pid)
        assert.ok(await flood(protocol), 'the node does not speak it: the proof would be void')
        for (let round = 0; round < 3; round++) await flood(protocol)
        const grown = (await residentBytes(node.status.pid)) - before
        assert.ok(grown < 48 * 1024 * 1024, `the node grew by ${grown} bytes`)
      })
    }

    it('of bitswap are in the log', async () => {
      await until(async () => /misbehaved.*malformed-message/.test(await log()))
    })

    it('in a room: dropped with a code, and the talk goes on', async () => {
      const chat = (nick: string): ReturnType<CliHome['start']> =>
        home.start(['chat', 'meadow', '--nick', nick, '--json', '--no-start', '--data', inHome('node')])
      await using visit = await chat('ada')
      await visit.event('here')
      await attacker.libp2p.dial(multiaddr(address()))
      const topic = await roomTopic('meadow')
      using _joined = attacker.pubsub.subscribe(topic, () => 'ignore')
      const bytes = new Uint8Array(MESSAGE_BYTES_MAX + 1)
      await until(async () => (await attacker.pubsub.publish(topic, bytes)).recipients > 0)
      const dropped = await visit.event('dropped')
      assert.match(String(dropped['code']), /^ERR_MESSAGE_/)
      visit.write('still here\n')
      await visit.event('sent')
      assert.equal((await visit.end({ signal: 'SIGINT' })).code, 0)
    })

    it('on the control socket: refused with a code, logged, and the next caller is served', async () => {
      assert.match(await sendToControl('x'.repeat(CONTROL_LIMITS.lineBytesMax + 1)), /"ERR_LINE_TOO_LONG"/)
      assert.match(await sendToControl('not json\n'), /"ERR_LINE_NOT_JSON"/)
      for (const text of [
        '{"jsonrpc":"2.0","id":1}\n',
        '[]\n',
        '7\n',
        '{"jsonrpc":"2.0","id":1,"method":"x"}\n'
      ]) {
        assert.match(await sendToControl(text), /"ERR_CONTROL_(MESSAGE|VERSION)"/)
      }
      const join = {
        jsonrpc: '2.0',
        id: 1,
        version: 1,
        method: 'chat.join',
        params: { room: 'r', nick: 'n' }
      }
      const input = {
        jsonrpc: '2.0',
        id: 2,
        method: 'input',
        params: { call: 1, input: { kind: 'stdin-end' } }
      }
      const pushy = [join, ...Array.from({ length: 200 }, () => input)]
      const answer = await sendToControl(pushy.map((message) => JSON.stringify(message) + '\n').join(''))
      assert.match(answer, /"ERR_CONTROL_BUSY"/)
      await until(async () => (await log()).includes('ERR_LINE_TOO_LONG'))
    })

    /** Sends and resolves with the first line of the answer that tells an error. */
    const sendToControl = async (text: string): Promise<string> => {
      const socket = connect(join(inHome('node'), 'control.sock'))
      // The node may hang up before it has taken everything.
      socket.on('error', () => undefined)
      const lines = createInterface(socket)
      try {
        socket.write(text)
        for await (const line of lines) if (line.includes('"error"')) return line
        return ''
      } finally {
        socket.destroy()
      }
    }
  })
})

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024
}

function hasControls(text: string): boolean {
  // eslint-disable-next-line no-control-regex -- these are what is looked for
  return /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/.test(text)
}
