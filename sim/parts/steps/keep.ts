import { millisecondsOf } from '../../duration.ts'
import type { ObjectHolders, ReplicaSample } from '../../series.ts'
import { spreadOf } from '../../series.ts'
import { heldBytes, startReplicas, type RunningReplicas } from '../replicas.ts'
import type { RunningNode } from '../running-node.ts'
import { cidOfText } from '../text-cid.ts'
import type { Place } from '../wire.ts'
import { within, type World } from '../world.ts'
import { tolerate } from './people.ts'
import type { StepOf } from './weather.ts'

/** Something that shall have copies. */
export interface KeptObject {
  readonly root: string
  readonly bytes: number
  readonly goal: number
  readonly owner: Place
  /** The goal was met once: from then on it is promised. */
  isPromised: boolean
  /** Those who had a copy at the last look, beside its owner. */
  holders: readonly Place[]
  /** Every disk that had one then, those of devices that are gone too. */
  disks: readonly Place[]
  /** Since when each copy that is missing is, in a network that is whole; the oldest first. */
  missingSinceMs: number[]
  /** When each disk that had it, beside its owner's, was seen to have gone for ever. */
  readonly goneAtMs: Map<Place, number>
}

/** A copy that died is there again within this: what is promised, detection included. */
const REPAIRED_MS = 5 * 60_000
/** How long the first copies may take. */
const FIRST_COPIES_MS = 10 * 60_000
const CHECK_MS = 10_000
/** What each gives to others, as so many times its part of all copies. */
const SPACE_FACTOR = 6
const FETCH_MS = 10 * 60_000
/** Households behind one line. */
const NETWORKS = 50

/** Starts replication on all nodes, and puts objects into it. */
export function keep(world: World, step: StepOf<'keep'>, nodeCount: number): void {
  const spaceBytes = Math.max(
    8 * step.bytes,
    Math.ceil((SPACE_FACTOR * step.objects * step.bytes * step.goal) / nodeCount)
  )
  world.mark(`${step.objects} objects with a goal of ${step.goal}`)
  world.onStart((running) => {
    if (running.node.role === 'peer') tolerate(world, 'keepers', startKeeper(world, running, spaceBytes))
  })
  const owners = world.running()
  for (let index = 0; index < step.objects; index++) {
    const owner = owners[Math.floor(world.random.unit() * owners.length)]
    if (owner === undefined) continue
    const root = cidOfText(`object ${world.objects.length + index} of ${world.clock.nowMs()}`).toString()
    const about = { root, bytes: step.bytes, goal: step.goal, owner: owner.node.place }
    tolerate(world, 'objects', addObject(world, owner, about))
  }
  world.clock.every(CHECK_MS, () => checkObjects(world))
}

async function startKeeper(world: World, running: RunningNode, spaceBytes: number): Promise<void> {
  const starting = startReplicas(world, running)
  world.replicas.set(running, starting)
  const { replication } = await starting
  const { place } = running.node
  const about = { host: `host ${place}`, network: `network ${place % NETWORKS}` }
  await replication.offer({ spaceBytes, publisherBytesMax: spaceBytes, isVolunteer: true, ...about })
}

async function addObject(
  world: World,
  owner: RunningNode,
  about: Pick<KeptObject, 'root' | 'bytes' | 'goal' | 'owner'>
): Promise<void> {
  const { replication, add } = await keeperOf(world, owner)
  await add(about.root, about.bytes)
  await replication.setGoal(about.root, { copies: about.goal, isPublic: true })
  world.objects.push({
    ...about,
    isPromised: false,
    holders: [],
    disks: [],
    missingSinceMs: [],
    goneAtMs: new Map()
  })
}

async function keeperOf(world: World, running: RunningNode): Promise<RunningReplicas> {
  const starting = world.replicas.get(running)
  if (starting === undefined) throw new Error('expected replication to be started')
  return await starting
}

/** Where an object is: on nodes that run, on any disk, and on how many disks that may come back. */
interface Copies {
  readonly running: Place[]
  readonly disks: Place[]
  readonly gone: Place[]
  onDisk: number
}

/** Where each object is. */
function countCopies(world: World): Map<string, Copies> {
  const copies = new Map(
    world.objects.map(({ root }): [string, Copies] => [root, { running: [], disks: [], gone: [], onDisk: 0 }])
  )
  for (const node of world.devices()) {
    for (const root of heldBytes(world, node.place).keys()) {
      const count = copies.get(root)
      if (count === undefined) continue
      count.disks.push(node.place)
      if (node.isGone) {
        count.gone.push(node.place)
        continue
      }
      count.onDisk += 1
      if (node.running !== undefined) count.running.push(node.place)
    }
  }
  return copies
}

/** Every goal is met again in its time, and nothing that was promised is gone. */
function checkObjects(world: World): void {
  const nowMs = world.clock.monotonicMs()
  const copies = countCopies(world)
  for (const object of [...world.objects]) {
    const { running = [], disks = [], gone = [], onDisk = 0 } = copies.get(object.root) ?? {}
    for (const place of gone) {
      if (place !== object.owner && !object.goneAtMs.has(place)) object.goneAtMs.set(place, nowMs)
    }
    if (object.isPromised && onDisk === 0) {
      if (isBeyondPromise(object, nowMs)) {
        forget(world, object)
        continue
      }
      world.history.violate('writes', `${object.root} is on no disk any more, its goal was ${object.goal}`)
    }
    const holders = running.filter((place) => place !== object.owner)
    noteCopies(object, { holders, disks }, nowMs)
    if (holders.length >= object.goal) object.isPromised = true
    if (!world.isCalm(0)) object.missingSinceMs.fill(nowMs)
    const missingMs = nowMs - (object.missingSinceMs[0] ?? nowMs)
    if (missingMs <= (object.isPromised ? REPAIRED_MS : FIRST_COPIES_MS)) continue
    const minutes = (missingMs / 60_000).toFixed(1)
    world.history.violate(
      'replicas',
      `${object.root} has ${holders.length} of ${object.goal} copies, and one is missing since ${minutes} minutes`
    )
  }
}

/** As many disks as there should be copies went for ever before one copy could be made anew: no goal is met from nothing. */
function isBeyondPromise({ goal, goneAtMs }: KeptObject, nowMs: number): boolean {
  return [...goneAtMs.values()].filter((atMs) => nowMs - atMs <= REPAIRED_MS).length >= goal
}

function forget(world: World, object: KeptObject): void {
  world.history.count('lost with all who had it')
  world.objects.splice(world.objects.indexOf(object), 1)
}

/** Each copy that went has its own time; each that came is in the place of the one that is missing for longest. */
function noteCopies(
  object: KeptObject,
  { holders, disks }: Pick<KeptObject, 'holders' | 'disks'>,
  nowMs: number
): void {
  const { holders: before, missingSinceMs: missing, goal } = object
  for (const place of before) if (!holders.includes(place)) missing.push(nowMs)
  for (const place of holders) if (!before.includes(place)) missing.shift()
  // made and lost again since the last look: its maker kept the promise, and now it has until then
  for (const place of disks) {
    if (before.includes(place) || holders.includes(place) || object.disks.includes(place)) continue
    if (missing.shift() !== undefined) missing.push(nowMs)
  }
  const count = Math.max(0, goal - holders.length)
  // what went first was too many
  missing.splice(0, missing.length - count)
  while (missing.length < count) missing.push(nowMs)
  object.holders = holders
  object.disks = disks
}

/** Many want the same at once. */
export function fetch(world: World, step: StepOf<'fetch'>): void {
  const [object] = world.pick(world.objects, 1)
  if (object === undefined) return
  const running = world.running()
  const crowd = world.pick(running, Math.round(step.share * running.length))
  world.mark(`${crowd.length} nodes fetch the same`)
  for (const one of crowd) {
    world.scheduler.after(
      world.random.unit() * millisecondsOf(step.within),
      () => tolerate(world, 'fetches', fetchObject(world, one, object.root)),
      one.owner
    )
  }
}

async function fetchObject(world: World, running: RunningNode, root: string): Promise<void> {
  const { fetch: get } = await keeperOf(world, running)
  await get(root, within(running.clock, FETCH_MS))
}

/** How objects stand, for the pictures. */
export function sampleReplicas(world: World): ReplicaSample {
  const copies = countCopies(world)
  const counts = world.objects.map(({ root, owner }) => {
    const { running = [] } = copies.get(root) ?? {}
    return running.filter((place) => place !== owner).length
  })
  return {
    objects: counts.length,
    copies: spreadOf(counts),
    copiesMin: counts.length === 0 ? 0 : Math.min(...counts),
    belowGoal: world.objects.filter(({ goal }, index) => (counts[index] ?? 0) < goal).length,
    lost: world.objects.filter(({ root, isPromised }) => isPromised && copies.get(root)?.onDisk === 0).length
  }
}

/** Who has what in the end. */
export function holdersOfAll(world: World): ObjectHolders[] {
  const copies = countCopies(world)
  return world.objects.map(({ root, bytes, goal }) => ({
    ...{ object: root, bytes, goal },
    holders: copies.get(root)?.running ?? []
  }))
}
