import {
  BootstrapError,
  findFirstPeers,
  openKnownSeeds,
  planBootstrap,
  systemBootstrapPowers
} from '#bootstrap'
import { DHT_PROTOCOL } from '#dht'
import type { NodeBase } from './base.ts'
import type { NodeInit } from './types.ts'

/**
 * The multiaddrs to dial first. A seed that does not answer is no failure: a node that has run before knows others. One
 * that answers as somebody else is, when it is the person who is asking now.
 *
 * @throws BootstrapError for a malformed `--bootstrap`, a seed that signs as somebody else or was not confirmed
 */
export async function findBootstrapPeers(base: NodeBase, init: NodeInit): Promise<string[]> {
  const { clock, logger, choices } = base
  const plan = planBootstrap(choices.bootstrap ?? [])
  if (plan.seeds.length === 0) return [...plan.peers]
  const knownSeeds = await openKnownSeeds(
    { files: base.privateFiles, random: base.random },
    base.paths.knownSeeds
  )
  const { peers, failures } = await findFirstPeers(
    { powers: systemBootstrapPowers, clock, logger, knownSeeds },
    plan,
    {
      network: DHT_PROTOCOL,
      ...(init.confirmSeed === undefined ? {} : { confirm: init.confirmSeed }),
      ...(init.signal === undefined ? {} : { signal: init.signal })
    }
  )
  const refusal =
    init.bootstrap === undefined ? undefined : failures.find(({ code }) => code !== 'ERR_SEED_UNREACHABLE')
  if (refusal !== undefined) throw new BootstrapError(refusal.code, refusal.message)
  return peers
}
