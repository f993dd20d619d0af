/** What happens to nodes: they join, die, sleep, are cut off, slow, or have a bad disk. */
import { millisecondsOf } from '../../duration.ts'
import type { Step } from '../../scenario.ts'
import type { RunningNode } from '../running-node.ts'
import type { SimNode } from '../sim-node.ts'
import type { World } from '../world.ts'

/** A step of that kind. */
export type StepOf<Kind extends Step['do']> = Extract<Step, { readonly do: Kind }>

/** After the death of a node, how long it may take until a new one comes: arrivals equal departures. */
const ARRIVAL_MS_MAX = 30_000

/** Nodes start, spread over a time. */
export function join(world: World, { nodes, within }: StepOf<'join'>, nodeCount: number): void {
  const count = Math.max(0, nodes ?? nodeCount - world.seeds.length)
  world.mark(`${count} nodes join`)
  for (let index = 0; index < count; index++) {
    const node = world.add()
    world.clock.after(millisecondsOf(within) * (index / Math.max(1, count)), () => world.start(node))
  }
}

/** Nodes die for good, after lives with a half-life; for each a new one comes. */
export function churn(world: World, step: StepOf<'churn'>): void {
  const meanMs = millisecondsOf(step.halfLife) / Math.LN2
  const untilMs = step.for === undefined ? Infinity : world.clock.monotonicMs() + millisecondsOf(step.for)
  world.mark(`nodes come and go, half of them within ${step.halfLife}`)
  world.onStart(({ node, owner }) => {
    if (node.role !== 'peer') return
    const lifeMs = -Math.log(1 - world.random.unit()) * meanMs
    world.scheduler.after(
      lifeMs,
      () => {
        if (world.clock.monotonicMs() > untilMs) return
        world.remove(node)
        world.history.count('died')
        const arrival = world.add()
        world.clock.after(world.random.unit() * ARRIVAL_MS_MAX, () => world.start(arrival))
      },
      owner
    )
  })
}

/** Laptops: the lids of some close for a part of every period, each at a time of its own. */
export function sleep(world: World, step: StepOf<'sleep'>): void {
  const [periodMs, asleepMs] = [millisecondsOf(step.every), millisecondsOf(step.asleep)]
  const laptops = chosen(world, step.share)
  world.mark(`${laptops.length} laptops sleep ${step.asleep} of every ${step.every}`)
  for (const { node } of laptops) {
    const nap = (): void => {
      world.crash(node)
      world.clock.after(asleepMs, () => world.start(node))
      world.clock.after(periodMs, nap)
    }
    world.clock.after(world.random.unit() * periodMs, nap)
  }
}

/** Some nodes crash and come back with their disks. */
export function crash(world: World, step: StepOf<'crash'>): void {
  const victims = step.who === 'seeds' ? world.running('seed') : chosen(world, step.share ?? 0)
  world.mark(`${victims.length} ${step.who ?? 'nodes'} crash, for ${step.for}`)
  world.disturb(millisecondsOf(step.for))
  for (const { node } of victims) {
    world.crash(node)
    world.clock.after(millisecondsOf(step.for), () => world.start(node))
  }
}

/** Some nodes are cut off from the others. */
export function cut(world: World, step: StepOf<'cut'>): void {
  const far = new Set(chosen(world, step.share).map(({ node }) => node.place))
  const places = world.devices().map(({ place }) => place)
  world.mark(`${far.size} nodes are cut off`)
  world.disturb(millisecondsOf(step.for))
  world.wire.partition([places.filter((place) => !far.has(place)), [...far]])
  world.clock.after(millisecondsOf(step.for), () => {
    world.mark('the network is whole again')
    world.wire.partition([])
  })
}

/** The lines of some nodes become slow. */
export function slow(world: World, step: StepOf<'slow'>): void {
  const nodes = chosen(world, step.share).map(({ node }) => node)
  world.mark(`${nodes.length} nodes are slow`)
  for (const { place } of nodes) world.wire.slow(place, millisecondsOf(step.latency))
  world.clock.after(millisecondsOf(step.for), () => {
    for (const { place } of nodes) world.wire.slow(place, 0)
  })
}

/** The disks of some nodes go bad. */
export function disk(world: World, step: StepOf<'disk'>): void {
  const nodes = chosen(world, step.share).map(({ node }) => node)
  world.mark(`${nodes.length} disks: ${step.fault}`)
  for (const node of nodes) node.disk.faults.add(step.fault)
  world.clock.after(millisecondsOf(step.for), () => {
    for (const node of nodes) node.disk.faults.delete(step.fault)
  })
}

function chosen(world: World, share: number): RunningNode[] {
  const running = world.running()
  return world.pick(running, Math.round(share * running.length))
}

/** Nodes that lie are added and started: see sybil.ts for what they say. */
export function startSybils(world: World, count: number): SimNode[] {
  const sybils = Array.from({ length: count }, () => world.add('sybil'))
  for (const node of sybils) world.start(node)
  return sybils
}
