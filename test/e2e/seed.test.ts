/** Seeds: who they are, whom nodes trust, what is denied, what one address may open. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PEER_ADDRESS_LIMITS } from '#bootstrap'
import { createCliHome, ROOT, type CliHome, type CliResult } from '../support/cli.ts'
import {
  assertRefused,
  assertSucceeded,
  startCliNode,
  startCliSeed,
  type CliNode
} from '../support/cli-node.ts'
import { startNamespaceShell } from '../support/namespace.ts'
import { needs } from '../support/requirements.ts'
import { until } from '../net/dht/hosts.ts'

describe('seeds', function () {
  this.timeout(60_000)
  let home: CliHome
  const inHome = (name: string): string => join(home.folder, name)
  before(async () => {
    home = await createCliHome()
  })
  after(async () => {
    const left = await home.running()
    await home[Symbol.asyncDispose]()
    assert.deepEqual(left, [])
  })

  /** The HTTP address of a seed, without the did it is pinned to. */
  const urlOf = (seed: CliNode): string => String(seed.status['bootstrapUrl']).split('#')[0] ?? ''
  const start = async (name: string, bootstrap: string): Promise<CliResult> =>
    await home.run(['node', 'start', '--json', '--data', inHome(name), '--bootstrap', bootstrap])
  const peerIds = async (node: CliNode): Promise<string[]> => {
    const { json } = await node.succeed(['node', 'peers'])
    return (json?.['peers'] as { peerId: string }[]).map(({ peerId }) => peerId)
  }

  it('refuses to serve only this machine, unless it is for development', async () => {
    const args = ['seed', 'start', '--json', '--data', inHome('not-yet'), '--reach', 'local']
    const { message } = assertRefused(await home.run(args), 'ERR_SEED_REACH_LOCAL')
    assert.match(message, /--reach/)
    assertRefused(await home.run(args.slice(0, -2)), 'ERR_SEED_REACH_LOCAL')
    assertRefused(await home.run([...args, '--detach']), 'ERR_SEED_REACH_LOCAL')
  })

  describe('and who they are', () => {
    let seed: CliNode
    before(async () => {
      seed = await startCliSeed(home, inHome('seed'))
    })
    after(async () => {
      await seed.stop()
    })

    it('with its did in the address a seed is used at once', async () => {
      await using node = await startCliNode(home, inHome('pinned'), {
        flags: ['--bootstrap', String(seed.status['bootstrapUrl'])]
      })
      await until(async () => (await peerIds(node)).includes(seed.status.peerId))
      await node.stop()
    })

    it('without it and without a terminal it is refused, and the sentence to paste is shown', async () => {
      const result = await start('unpinned', urlOf(seed))
      assertRefused(result, 'ERR_SEED_UNCONFIRMED')
      assert.ok(result.stderr.includes(`${urlOf(seed)}#${seed.status.did}`), result.stderr)
      const detached = await home.run([
        ...['node', 'start', '--detach', '--json', '--data', inHome('unpinned'), '--bootstrap', urlOf(seed)]
      ])
      assertRefused(detached, 'ERR_SEED_UNCONFIRMED')
    })

    it('with another did it is refused', async () => {
      const other = 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'
      assertRefused(await start('unpinned', `${urlOf(seed)}#${other}`), 'ERR_SEED_SIGNER')
    })

    it('on a terminal it is shown, confirmed once, and remembered; another signer is then refused', async function () {
      await needs(this, 'terminal')
      const ask = async (answer: string): Promise<string> => {
        const args = ['node', 'start', '--no-mdns', '--data', inHome('asked'), '--bootstrap', urlOf(seed)]
        await using terminal = await home.terminal(args)
        await terminal.stdout.match(/Use it and remember it\?/)
        assert.ok(terminal.stdout.text().includes(seed.status.did))
        terminal.type(answer)
        await terminal.stdout.match(/try next|ERR_/)
        terminal.control('c')
        await terminal.ended
        return terminal.stdout.text()
      }
      assert.match(await ask(''), /ERR_SEED_UNCONFIRMED/)
      assert.match(await ask('y'), /listens on/)
      {
        await using again = await startCliNode(home, inHome('asked'), { flags: ['--bootstrap', urlOf(seed)] })
        await until(async () => (await peerIds(again)).includes(seed.status.peerId))
        await again.stop()
      }
      const port = new URL(urlOf(seed)).port
      const pinned = String(seed.status['bootstrapUrl'])
      await seed.stop()
      seed = await startCliSeed(home, inHome('impostor'), { flags: ['--http', `127.0.0.1:${port}`] })
      const { message } = assertRefused(await start('asked', urlOf(seed)), 'ERR_SEED_SIGNER_CHANGED')
      assert.ok(message.includes(seed.status.did), message)
      assertRefused(await start('asked', pinned), 'ERR_SEED_SIGNER')
    })

    it('serves metrics on loopback that Prometheus reads', async () => {
      const response = await fetch(String(seed.status['metricsUrl']))
      assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
      const text = await response.text()
      assert.match(text, /^# TYPE elastos_peers_connected gauge$/m)
      assert.match(text, /^elastos_peers_connected \d+$/m)
      for (const line of text.trimEnd().split('\n')) {
        assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{[^}]*\})? [0-9.e+-]+)$/)
      }
    })
  })

  describe('and what is denied', () => {
    let seed: CliNode
    let a: CliNode
    let b: CliNode
    before(async () => {
      seed = await startCliSeed(home, inHome('seed'))
      const flags = ['--bootstrap', String(seed.status['bootstrapUrl'])]
      a = await startCliNode(home, inHome('a'), { flags })
      b = await startCliNode(home, inHome('b'), { flags })
    })
    after(async () => {
      for (const node of [a, b, seed]) await node.stop()
    })
    const add = async (text: string): Promise<string> => {
      await writeFile(inHome('file'), text)
      return String((await a.succeed(['add', inHome('file')])).json?.['cid'])
    }
    const get = async (cid: string): Promise<CliResult> =>
      await b.run(['get', cid, '-o', inHome(`copy-of-${cid}`), '--force', '--deadline', '10'])

    it('a CID: not fetched by who denies it, not served by who denies it', async () => {
      const mine = await add('what B will not have')
      await b.succeed(['deny', 'add', mine])
      assertRefused(await get(mine), 'ERR_CONTENT_DENIED')
      assertRefused(await b.run(['pin', 'add', mine]), 'ERR_CONTENT_DENIED')
      await b.succeed(['deny', 'remove', mine])
      assertSucceeded(await get(mine), ['get'])

      const theirs = await add('what A will not serve')
      await a.succeed(['deny', 'add', theirs])
      assertRefused(await get(theirs), 'ERR_CONTENT_NOT_FOUND', 'ERR_CONTENT_NO_PROVIDERS')
      await a.succeed(['deny', 'remove', theirs])
      assertSucceeded(await get(theirs), ['get'])
    })

    it('a did: disconnected at once, kept away, and met again when it is allowed', async () => {
      await b.succeed(['node', 'connect', a.status.addresses[0] ?? ''])
      await b.succeed(['deny', 'add', a.status.did])
      await until(async () => !(await peerIds(b)).includes(a.status.peerId))
      assertRefused(await b.run(['node', 'connect', a.status.addresses[0] ?? '']), 'ERR_PEER_DENIED')
      const back = await a.run(['node', 'connect', b.status.addresses[0] ?? ''])
      assert.ok(!(await peerIds(b)).includes(a.status.peerId), `let in again: ${back.stdout}`)
      const { json } = await b.succeed(['deny', 'list'])
      assert.deepEqual(json?.['subjects'], [a.status.did])
      await b.succeed(['deny', 'remove', a.status.did])
      await b.succeed(['node', 'connect', a.status.addresses[0] ?? ''])
    })

    it('by a seed: it introduces the denied no more', async () => {
      await seed.succeed(['deny', 'add', b.status.did])
      await until(async () => !(await peerIds(seed)).includes(b.status.peerId))
      await seed.succeed(['deny', 'remove', b.status.did])
    })

    it('what is neither CID nor did is refused', async () => {
      assertRefused(await a.run(['deny', 'add', 'everybody']), 'ERR_DENY_VALUE')
    })
  })

  it('one address opens only so many connections', async function () {
    await needs(this, 'namespaces')
    await using shell = await startNamespaceShell({ env: home.env, cwd: home.folder })
    const seed = `'${join(ROOT, 'elastos')}' seed start --detach --json --reach lan --no-mdns --data limited`
    const listen = '--listen /ip4/10.77.0.1/tcp/4101 --listen /ip4/127.0.0.1/tcp/4101'
    await shell.run('ip link set lo up && ip addr add 10.77.0.1/24 dev lo')
    const started = await shell.run(`${seed} ${listen} --http 127.0.0.1:0 --metrics-port 0`)
    assert.equal(started.code, 0, started.text)
    const tries = PEER_ADDRESS_LIMITS.burstMax + 24
    const kept = async (host: string): Promise<number> => {
      const { text, code } = await shell.run(
        `'${process.execPath}' -e '${OPEN_SOCKETS}' ${host} 4101 ${tries}`
      )
      assert.equal(code, 0, text)
      return Number(text.trim())
    }
    const fromOutside = await kept('10.77.0.1')
    assert.ok(
      fromOutside <= PEER_ADDRESS_LIMITS.burstMax + PEER_ADDRESS_LIMITS.perSecond * 2,
      `${fromOutside} of ${tries}`
    )
    assert.ok(fromOutside >= PEER_ADDRESS_LIMITS.burstMax / 2, `${fromOutside} of ${tries}: too strict`)
    assert.equal(await kept('127.0.0.1'), tries, 'programs of this device are limited')
    await shell.run(`'${join(ROOT, 'elastos')}' node stop --data limited`)
  })
})

/** Opens sockets to HOST PORT, COUNT of them, and prints how many the other side left open for a second. */
const OPEN_SOCKETS = `
  const [host, port, count] = process.argv.slice(1);
  let open = 0;
  for (let n = 0; n < Number(count); n++) {
    const socket = require("net").connect(port, host).resume();
    socket.on("connect", () => open++).on("close", () => open--).on("error", () => {});
  }
  setTimeout(() => { console.log(open); process.exit(); }, 1500);
`
