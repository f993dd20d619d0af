import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ControlMethod, ControlParams, ControlResult } from '#contracts'
import type { ControlClient } from '../../../cli/context.ts'
import type { CliHome } from '../../support/cli.ts'
import { startCliNode, type CliNode } from '../../support/cli-node.ts'
import { connectToNode } from '../../support/control.ts'
import type { LossyNetwork } from '../../support/lossy-network.ts'
import { SEED_MEMBER, type Blow, type Fate } from './chaos.ts'

/** Ports of a node and of the bootstrap record of a seed. */
export const NODE_PORT = 4697
export const RECORD_PORT = 4480

/** Where a fleet runs and keeps its data. */
export interface FleetInit {
  readonly home: CliHome
  readonly network: LossyNetwork
  /** Outlives the fleet. */
  readonly folder: string
  /** What became of the members before. */
  readonly fates: readonly Fate[]
  /** Called when a member has started, for the first time or again. */
  readonly onStarted: (member: Member) => Promise<void>
}

/** A node of a fleet. */
export interface Member {
  readonly number: number
  /** False while it is killed or cut off. */
  readonly isUp: boolean
  readonly did: string
  /** Calls a method of the node; fails when it dies meanwhile. */
  call<M extends ControlMethod>(
    method: M,
    params: ControlParams<M>,
    signal?: AbortSignal
  ): Promise<ControlResult<M>>
  /** The end of what it logged. */
  log(): string
}

/** Nodes on the hosts of a network; the first is their seed. Disposing it kills them. */
export interface Fleet extends AsyncDisposable {
  readonly members: readonly Member[]
  strike(member: number, blow: Blow): Promise<void>
  /** Undoes the last blow. */
  revive(member: number): Promise<void>
  /** Starts a node that never was before, on the host behind those of the members. Disposing it removes its disk. */
  startStranger(): Promise<Member & AsyncDisposable>
}

/** Starts all who are up by their fates, the seed first. */
export async function startFleet(init: FleetInit): Promise<Fleet> {
  await using stack = new AsyncDisposableStack()
  const places = init.fates.map((fate, number) => new Place(init, number, fate))
  for (const place of places) stack.use(place)
  const [seed] = places
  assert.ok(seed !== undefined)
  // A seed that was down when the last fleet ended is there again: nobody would know its address without it.
  seed.blow = undefined
  await seed.start(undefined)
  const { bootstrap } = seed
  await Promise.all(
    places.slice(1).map(async (place) => {
      if (place.blow === undefined || place.blow === 'cut') await place.start(bootstrap)
      if (place.blow === 'cut') await init.network.cable(place.number, 'down')
    })
  )
  const running = stack.move()
  const placeOf = (member: number): Place => {
    const place = places[member]
    assert.ok(place !== undefined, `there is no member ${member}`)
    return place
  }
  return {
    members: places,
    strike: async (member, blow) => await placeOf(member).strike(blow),
    revive: async (member) => await placeOf(member).revive(bootstrap),
    startStranger: async () => {
      const stranger = new Stranger({ ...init, onStarted: async () => {} }, places.length, {
        blow: undefined,
        lives: 0
      })
      // The one of a run that was interrupted may have left its disk.
      await stranger.removeDisk()
      await stranger.start(bootstrap)
      return stranger
    },
    [Symbol.asyncDispose]: async () => {
      await running.disposeAsync()
    }
  }
}

/** A host and whoever lives there. */
class Place implements Member, AsyncDisposable {
  readonly #init: FleetInit
  readonly number: number
  blow: Blow | undefined
  #lives: number
  #node: CliNode | undefined
  #client: ControlClient | undefined
  did = ''
  bootstrap: string | undefined

  constructor(init: FleetInit, number: number, { blow, lives }: Fate) {
    this.#init = init
    this.number = number
    this.blow = blow
    this.#lives = lives
  }

  get isUp(): boolean {
    return this.#client !== undefined && this.blow === undefined
  }

  get #folder(): string {
    return join(this.#init.folder, `m${this.number}-${this.#lives}`)
  }

  async start(bootstrap: string | undefined): Promise<void> {
    const { home, network, onStarted } = this.#init
    const host = network.hosts[this.number]
    assert.ok(host !== undefined, `there is no host ${this.number}`)
    const isSeed = this.number === SEED_MEMBER
    // Whoever starts again remembers the seed, which may be down itself.
    const first = existsSync(this.#folder) ? [] : ['--bootstrap', bootstrap ?? '']
    const flags = isSeed ? ['--http', `${host.address}:${RECORD_PORT}`, '--metrics-port', '0'] : first
    const node = await startCliNode(home, this.#folder, {
      within: host.within,
      command: [isSeed ? 'seed' : 'node', 'start'],
      flags: ['--reach', 'public', '--discover', 'off', ...flags],
      listenMs: LISTEN_MS
    })
    this.#node = node
    this.did = node.status.did
    if (isSeed) this.bootstrap = String(node.status['bootstrapUrl'])
    this.#client = await connectToNode(this.#folder)
    await onStarted(this)
  }

  async strike(blow: Blow): Promise<void> {
    if (this.blow !== undefined) return
    this.blow = blow
    if (blow === 'cut') {
      await this.#init.network.cable(this.number, 'down')
      return
    }
    await this.#kill()
    if (blow !== 'lose') return
    await this.removeDisk()
    this.#lives++
  }

  async removeDisk(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }

  async revive(bootstrap: string | undefined): Promise<void> {
    const { blow } = this
    this.blow = undefined
    if (blow === 'cut') await this.#init.network.cable(this.number, 'up')
    else if (blow !== undefined) await this.start(bootstrap)
  }

  async call<M extends ControlMethod>(
    method: M,
    params: ControlParams<M>,
    signal?: AbortSignal
  ): Promise<ControlResult<M>> {
    assert.ok(this.#client !== undefined, `member ${this.number} is not up`)
    return await this.#client.call(method, params, signal === undefined ? {} : { signal })
  }

  log(): string {
    const lines = this.#node?.process.stderr.text().trimEnd().split('\n') ?? []
    return lines.slice(-LOG_LINES_SHOWN).join('\n')
  }

  async #kill(): Promise<void> {
    const client = this.#client
    this.#client = undefined
    await this.#node?.process.end({ signal: 'SIGKILL' })
    await client?.[Symbol.asyncDispose]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kill()
  }
}

/** One that leaves nothing behind. */
class Stranger extends Place {
  override async [Symbol.asyncDispose](): Promise<void> {
    await this.strike('lose')
  }
}

const LOG_LINES_SHOWN = 12
/** A dozen of them start at once. */
const LISTEN_MS = 120_000
