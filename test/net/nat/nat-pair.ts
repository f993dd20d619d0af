import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '#contracts'
import type { CliHome } from '../../support/cli.ts'
import { startCliNode, type CliNode } from '../../support/cli-node.ts'
import { startNatLab, type NatKind, type NatLab } from '../../support/nat-lab.ts'
import type { RunningProcess } from '../../support/process.ts'
import { until } from '../dht/hosts.ts'

/** Two nodes behind their NATs and a seed that both know, all of them real processes. */
export interface NatPair extends AsyncDisposable {
  readonly lab: NatLab
  readonly a: CliNode
  readonly b: CliNode
  /** Whether the one node has a connection to the other that no relay carries. */
  isDirect(): Promise<boolean>
  /** What others are told of b, relays included. */
  isReachable(node: CliNode): Promise<boolean>
  /** Kills the seed without a word and starts it again at once; how long the relays' users went without. */
  replaceSeed(): Promise<void>
}

/** What such a pair did. */
export interface NatResult {
  readonly isDirect: boolean
  readonly connectMs: number
  readonly fetchMs: number
}

/**
 * Which pairs get through to each other: one end has to let in what it called, and the other has to come from the port
 * that it said.
 */
export function mayBeDirect(a: NatKind, b: NatKind): boolean {
  const kinds = new Set([a, b])
  if (kinds.has('open') || kinds.has('full cone')) return true
  return kinds.has('restricted') && !kinds.has('symmetric')
}

/** Starts the three nodes and waits until both ends are announced. */
export async function startNatPair(home: CliHome, kinds: readonly [NatKind, NatKind]): Promise<NatPair> {
  const lab = await startNatLab({ a: kinds[0], b: kinds[1] })
  const folder = join(home.folder, kinds.join('-').replaceAll(' ', '-'))
  await using stack = new AsyncDisposableStack()
  stack.use(lab)
  const startSeed = async (): Promise<CliNode> => await startLabSeed(home, lab, `${folder}-seed`)
  let seed = await startSeed()
  stack.defer(async () => await seed[Symbol.asyncDispose]())
  const bootstrap = String(seed.status['bootstrapUrl'])
  const start = async (host: 'a' | 'b'): Promise<CliNode> =>
    await startCliNode(home, `${folder}-${host}`, {
      within: lab.on(host),
      flags: ['--reach', 'public', '--discover', 'off', '--bootstrap', bootstrap]
    })
  const started = await Promise.allSettled([start('a'), start('b')])
  for (const end of started) if (end.status === 'fulfilled') stack.use(end.value)
  const [a, b] = started.map((end) => (end.status === 'fulfilled' ? end.value : undefined))
  assert.ok(a !== undefined && b !== undefined, JSON.stringify(started))
  await until(async () => (await isReachable(a)) && (await isReachable(b)))
  const running = stack.move()
  return {
    lab,
    a,
    b,
    isDirect: async () => (await addressOf(a, b.status.peerId))?.includes('/p2p-circuit') === false,
    isReachable,
    replaceSeed: async () => {
      await lab.cable('down')
      await seed.process.end({ signal: 'SIGKILL' })
      await lab.cable('up')
      seed = await startSeed()
    },
    [Symbol.asyncDispose]: async () => {
      await running.disposeAsync()
    }
  }
}

async function startLabSeed(home: CliHome, lab: NatLab, data: string): Promise<CliNode> {
  const seed = await startCliNode(home, data, {
    within: lab.on('seed'),
    command: ['seed', 'start'],
    flags: ['--reach', 'public', '--http', `${lab.seedAddress}:4480`, '--metrics-port', '0']
  })
  await until(async () => await isReachable(seed))
  return seed
}

/** Whether a node is announced with an address that the internet can use. */
async function isReachable(node: CliNode): Promise<boolean> {
  const { json } = await node.succeed(['node', 'status'])
  const addresses = json?.['addresses'] as string[]
  return addresses.some((address) => address.includes('/p2p/') && !/^\/ip4\/(10|127)\./.test(address))
}

async function addressOf(node: CliNode, peerId: string): Promise<string | undefined> {
  const { json } = await node.succeed(['node', 'peers'])
  const peers = json?.['peers'] as { peerId: string; addresses: string[] }[]
  return peers.find((peer) => peer.peerId === peerId)?.addresses[0]
}

/** Connects the first to the second by its id alone, fetches a file of it, and talks with it. */
export async function proveNatPair(home: CliHome, kinds: readonly [NatKind, NatKind]): Promise<NatResult> {
  await using pair = await startNatPair(home, kinds)
  const connectMs = await timed(async () => {
    // who has just come is known to its neighbours a moment later
    await until(async () => (await pair.a.run(['node', 'connect', pair.b.status.peerId])).code === 0)
  })
  const fetchMs = await proveFetch(home, pair, kinds.join('-').replaceAll(' ', '-'))
  await using talk = await startTalk(home, pair)
  await talk.exchange('first')
  if (mayBeDirect(...kinds)) await until(async () => await pair.isDirect())
  const isDirect = await pair.isDirect()
  await talk.exchange('second')
  return { isDirect, connectMs, fetchMs }
}

/** Adds a small file at the second node and fetches it with the first. */
export async function proveFetch(home: CliHome, { a, b }: NatPair, name: string): Promise<number> {
  const bytes = randomBytes(100_000)
  const file = join(home.folder, `${name}.bin`)
  await writeFile(file, bytes)
  const { json } = await b.succeed(['add', file])
  const output = join(home.folder, `${name}.copy`)
  const fetchMs = await timed(async () => {
    await a.succeed(['get', String(json?.['cid']), '-o', output])
  })
  assert.deepEqual(await readFile(output), bytes)
  return fetchMs
}

/** Two people in a room, one at each end. */
export interface Talk extends AsyncDisposable {
  /** Each says a line that the other hears. */
  exchange(word: string): Promise<void>
}

/** Enters a room at both ends. */
export async function startTalk(home: CliHome, { a, b }: NatPair): Promise<Talk> {
  const enter = async (node: CliNode, nick: string): Promise<RunningProcess> =>
    await home.start([
      'chat',
      'nat',
      '--nick',
      nick,
      '--json',
      '--no-start',
      '--data',
      node.status.dataFolder
    ])
  const ann = await enter(a, 'ann')
  const bob = await enter(b, 'bob')
  await Promise.all([ann.event('here'), bob.event('here')])
  const hears = async (who: RunningProcess, text: string): Promise<void> => {
    await who.stdout.line((line) => line.includes(`"text":"${text}"`), { timeoutMs: 30_000 })
  }
  return {
    exchange: async (word) => {
      ann.write(`${word} of ann\n`)
      bob.write(`${word} of bob\n`)
      await Promise.all([hears(bob, `${word} of ann`), hears(ann, `${word} of bob`)])
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([ann.end(), bob.end()])
    }
  }
}

/** How long something took, in milliseconds. */
export async function timed(action: () => Promise<unknown>): Promise<number> {
  const startMs = systemClock.monotonicMs()
  await action()
  return Math.round(systemClock.monotonicMs() - startMs)
}
