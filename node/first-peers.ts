import {
  BootstrapError,
  findFirstPeers,
  openKnownSeeds,
  planBootstrap,
  systemBootstrapPowers,
  type BootstrapPlan,
  type FirstPeers,
  type KnownSeeds
} from '#bootstrap'
import { errorMessage } from '#contracts'
import { DHT_PROTOCOL, type Host } from '#dht'
import type { NodeBase } from './base.ts'
import type { NodeInit } from './types.ts'

/** How long a seed of an earlier start may hold up this one; it is asked again afterwards. */
const REMEMBERED_TIMEOUT_MS = 1_000
/** While nobody is connected the seeds are asked again, at first soon, then ever less often. */
const RETRY_MS_MIN = 2_000
const RETRY_MS_MAX = 5 * 60_000

/** Whom to dial first, and the seeds to go on asking while nobody is there. */
export interface FirstContact {
  /** Multiaddrs that end with `/p2p/` and a PeerId. */
  readonly peers: readonly string[]
  /** Asks the seeds in the background until it is disposed. */
  keepAsking(host: Pick<Host, 'connect' | 'peers'>): AsyncDisposable
}

/**
 * Finds the first peers. A seed that the person names now and that is not what it should be is refused to their face;
 * one named before delays the start by a second at most, and is asked again in the background.
 *
 * @throws BootstrapError for a malformed `--bootstrap`, a seed named now that signs as somebody else or is not confirmed
 */
export async function findFirstContact(base: NodeBase, init: NodeInit): Promise<FirstContact> {
  const plan = planBootstrap(base.choices.bootstrap ?? [])
  const knownSeeds = await openKnownSeeds(
    { files: base.privateFiles, random: base.random },
    base.paths.knownSeeds
  )
  const isNamedNow = init.bootstrap !== undefined
  const timeout = isNamedNow ? {} : { timeoutMs: REMEMBERED_TIMEOUT_MS }
  const { peers, failures } = await askSeeds(base, { plan, knownSeeds, init, ...timeout })
  const refusal = isNamedNow ? failures.find(({ code }) => code !== 'ERR_SEED_UNREACHABLE') : undefined
  if (refusal !== undefined) throw new BootstrapError(refusal.code, refusal.message)
  return {
    peers,
    keepAsking: (host) => keepAsking(base, host, { plan, knownSeeds })
  }
}

interface Seeds {
  readonly plan: BootstrapPlan
  readonly knownSeeds: KnownSeeds
}

async function askSeeds(
  { clock, logger }: NodeBase,
  asked: Seeds & { init: Pick<NodeInit, 'confirmSeed' | 'signal'>; timeoutMs?: number }
): Promise<FirstPeers> {
  const { plan, knownSeeds, init, timeoutMs } = asked
  return await findFirstPeers({ powers: systemBootstrapPowers, clock, logger, knownSeeds }, plan, {
    network: DHT_PROTOCOL,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(init.confirmSeed === undefined ? {} : { confirm: init.confirmSeed }),
    ...(init.signal === undefined ? {} : { signal: init.signal })
  })
}

function keepAsking(
  base: NodeBase,
  host: Pick<Host, 'connect' | 'peers'>,
  { plan, knownSeeds }: Seeds
): AsyncDisposable {
  const { clock, logger } = base
  const closing = new AbortController()
  const { signal } = closing
  const ask = async (): Promise<void> => {
    const { peers } = await askSeeds(base, { plan, knownSeeds, init: { signal } })
    await Promise.allSettled(peers.map(async (address) => await host.connect(address, signal)))
  }
  const loop = async (): Promise<void> => {
    for (let waitMs = RETRY_MS_MIN; !signal.aborted; waitMs = Math.min(waitMs * 2, RETRY_MS_MAX)) {
      await clock.sleep(waitMs, signal)
      if (host.peers().length > 0) continue
      await ask().catch((thrown: unknown) => {
        if (!signal.aborted) logger.warn('seeds could not be asked', { reason: errorMessage(thrown) })
      })
    }
  }
  const running = plan.seeds.length === 0 ? Promise.resolve() : loop().catch(() => undefined)
  return {
    [Symbol.asyncDispose]: async () => {
      closing.abort(new Error('the node stops'))
      await running
    }
  }
}
