/** What people do on the network, through the parts of their nodes. */
import { errorCode } from '#contracts'
import { readPrivateFile, writePrivateFile } from '#did'
import { millisecondsOf } from '../../duration.ts'
import type { RunningNode } from '../running-node.ts'
import type { SimNode } from '../sim-node.ts'
import { cidOfText } from '../text-cid.ts'
import { within, type World } from '../world.ts'
import type { StepOf } from './weather.ts'

const OPERATION_MS = 60_000
const READERS = 3

/** Counts what cannot be done at the moment; on a bad network that is no failure of the node. */
export function tolerate(world: World, what: string, doing: Promise<unknown>): void {
  doing.then(
    () => world.history.count(what),
    (error: unknown) => world.history.count(`${what} failed ${errorCode(error) ?? ''}`.trim())
  )
}

/** Does something whenever it is called, unless it is still at it from the time before. */
export function oneAtATime(world: World, what: string, task: () => Promise<unknown>): () => void {
  let isBusy = false
  return () => {
    if (isBusy) return
    isBusy = true
    const doing = task().finally(() => (isBusy = false))
    tolerate(world, what, doing)
  }
}

/** Some node looks for a key of nobody, again and again. */
export function search(world: World, step: StepOf<'search'>): void {
  world.clock.every(millisecondsOf(step.every), () => {
    const [running] = world.pick(world.running(), 1)
    if (running !== undefined) tolerate(world, 'lookups', lookUp(world, running))
  })
}

async function lookUp(world: World, { dht, clock, node }: RunningNode): Promise<void> {
  const key = world.random.bytes(34)
  key.set([0x12, 0x20])
  const startMs = clock.monotonicMs()
  const onEnd = ({ rounds }: { readonly rounds: number }): void => void world.lookupRounds.push(rounds)
  const signal = within(clock, OPERATION_MS)
  const found = await dht.queries.lookup(key, signal, { onEnd }).catch((error: unknown) => {
    world.lookupsFailed += 1
    throw error
  })
  world.lookupMs.push(clock.monotonicMs() - startMs)
  const nearest = world.nearestRunning(key, 20, node)
  if (found.length === 0 && nearest.length > 0) world.lookupsFailed += 1
  const right = found.filter((peer) => nearest.includes(peer.peerId)).length
  world.history.count('lookups wanted', nearest.length)
  world.history.count('lookups found', right)
}

/** Some publish names again and again; others resolve them. */
export function name(world: World, step: StepOf<'name'>): void {
  const publishers = world.pick(world.running(), step.names).map(({ node }) => node)
  for (const [index, publisher] of publishers.entries()) {
    let version = 0
    const publishing = (): void => {
      const { running } = publisher
      if (running === undefined) return
      version += 1
      tolerate(world, 'names', publishAndResolve(world, running, `version ${version} of name ${index}`))
    }
    const everyMs = millisecondsOf(step.every)
    const reading = (): void => {
      const { did } = publisher.keyPair
      for (const reader of world.readersOf(did, READERS))
        tolerate(world, 'resolves', resolve(world, reader, did))
    }
    world.clock.every(everyMs, publishing)
    // between two publications too
    world.clock.after(everyMs * 0.4, () => world.clock.every(everyMs, reading))
    publishing()
  }
}

async function publishAndResolve(world: World, running: RunningNode, text: string): Promise<void> {
  const { node, clock } = running
  const value = cidOfText(text)
  const { did } = node.keyPair
  const readers = world.readersOf(did, READERS)
  for (const reader of readers) tolerate(world, 'resolves', resolve(world, reader, did))
  const init = { value, firstPublish: !world.publishedBefore.has(did), signal: within(clock, OPERATION_MS) }
  const { sequence } = await running.names().publish(node.keyPair, init)
  world.publishedBefore.add(did)
  world.history.published(did, sequence, value.toString())
  for (const reader of readers) tolerate(world, 'resolves', resolve(world, reader, did))
}

async function resolve(world: World, reader: SimNode, did: string): Promise<void> {
  const { running } = reader
  if (running === undefined) return
  const { sequence, value } = await running
    .names()
    .resolve(did, { signal: within(running.clock, OPERATION_MS) })
  world.history.resolved(reader.place, { name: did, sequence, value: value.toString() })
}

const PLACE = { folder: '/device', name: 'diary' } as const
const DIARY_BYTES_MAX = 1_024

/** Some devices write to their disks again and again, and look what is there when they start. */
export function write(world: World, step: StepOf<'write'>): void {
  const writers = new Set(world.pick(world.running(), step.nodes).map(({ node }) => node))
  let count = 0
  world.onStart((running) => {
    if (!writers.has(running.node)) return
    tolerate(world, 'reads', readDiary(world, running))
    const writing = oneAtATime(world, 'writes', async () => {
      count += 1
      await writeDiary(world, running, count)
    })
    running.clock.every(millisecondsOf(step.every), writing)
  })
}

async function readDiary(world: World, { node, disk }: RunningNode): Promise<void> {
  const bytes = await readPrivateFile(disk.files, PLACE, DIARY_BYTES_MAX)
  // the count stands at both ends, so that half of a write is seen
  const [first = '', last = ''] = bytes === undefined ? [] : Buffer.from(bytes).toString().split('\n')
  const isWhole = first !== '' && first === last
  world.history.found(node.place, isWhole ? Number(first) : undefined)
}

async function writeDiary(world: World, { node, disk, random }: RunningNode, count: number): Promise<void> {
  const bytes = Buffer.from(`${count}\n${count}`)
  await writePrivateFile(disk.files, PLACE, { bytes, mode: 'replace', random })
  world.history.wrote(node.place, count)
}

const LINEAGE = 'dev:simulated/notes'
const COMMAND = 'localhost/read'
const RESOURCE = 'localhost://notes/a.txt'

/** Some devices grant and revoke, and let in only whom they may, after a crash too. */
export function grant(world: World, step: StepOf<'grant'>): void {
  const devices = new Set(world.pick(world.running(), step.nodes).map(({ node }) => node))
  world.onStart((running) => {
    if (!devices.has(running.node)) return
    tolerate(world, 'grants', ask(world, running))
    const granting = oneAtATime(world, 'grants', async () => await grantAndRevoke(world, running))
    running.clock.every(millisecondsOf(step.every), granting)
  })
}

async function grantAndRevoke(world: World, running: RunningNode): Promise<void> {
  const authority = await running.authority()
  const request = {
    lineage: LINEAGE,
    command: COMMAND,
    resource: RESOURCE,
    scope: 'always',
    decidedBy: 'policy'
  } as const
  const { cid } = await authority.grant(request)
  await ask(world, running)
  await authority.revoke(cid)
  world.history.revoked(running.node.place, cid)
  await ask(world, running)
}

async function ask(world: World, running: RunningNode): Promise<void> {
  const authority = await running.authority()
  const ceiling = [{ command: COMMAND, resource: RESOURCE }]
  const verdict = authority.peek({
    lineage: LINEAGE,
    sessionId: 'one',
    ceiling,
    command: COMMAND,
    resource: RESOURCE
  })
  if (verdict.isAllowed) world.history.allowed(running.node.place, verdict.tokens)
}
