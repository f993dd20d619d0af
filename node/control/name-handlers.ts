import type { Clock, NameStatus } from '#contracts'
import { isDomain, type ResolvedName } from '#dht'
import { parseDid } from '#did'
import { NodeError } from '../errors.ts'
import { followName } from '../follow-name.ts'
import type { ElastosNode } from '../types.ts'
import { describeConfidence } from './dht-handlers.ts'
import type { HandlersOf } from './handlers.ts'

/** How often a followed name is looked at unless the caller says otherwise. */
const FOLLOW_INTERVAL_MS = 30_000

/** What the handlers act on. */
export type NameHandlerParts = Pick<ElastosNode, 'host' | 'index' | 'contacts' | 'dnsLinks'>

/** Names for commands: a did, an IPNS name, a domain, `DID/KIND/NAME`, or `PETNAME/KIND/NAME`. */
export function createNameHandlers(
  parts: NameHandlerParts,
  clock: Clock
): HandlersOf<'name.resolve' | 'name.follow'> {
  return {
    'name.resolve': async ({ name }, { signal }) => await resolveAny(parts, name, signal),
    'name.follow': async (params, { signal, emit }) => {
      const { name, everyMs = FOLLOW_INTERVAL_MS, count = Infinity } = params
      let values = 0
      const following = followName({
        ...{ everyMs, clock, signal },
        resolve: async (callSignal) => await resolveAny(parts, name, callSignal),
        onTrouble: async (text) => await emit({ kind: 'notice', text })
      })
      for await (const value of following) {
        await emit({ kind: 'name', name: value })
        values += 1
        if (values >= count) break
      }
      return { values }
    }
  }
}

async function resolveAny(parts: NameHandlerParts, name: string, signal: AbortSignal): Promise<NameStatus> {
  const { host, index, contacts } = parts
  const [publisher = '', kind, entry, ...rest] = name.replace(/^\/ipns\//, '').split('/')
  if (kind === undefined) {
    if (isDomain(publisher)) return await resolveDomain(parts, publisher, signal)
    return describeName(await host.names.resolve(publisher, { signal }))
  }
  if (entry === undefined || rest.length > 0) {
    throw new NodeError('ERR_TARGET_INVALID', 'expected a did, an IPNS name, a domain, or DID/KIND/NAME')
  }
  const did = publisher.startsWith('did:') ? parseDid(publisher) : contacts.didOf(publisher)
  const { head, sequence, updatedAtMs, fromCache } = await index.lookup(did, { kind, name: entry, signal })
  return {
    ...{ cid: head.toString(), sequence: String(sequence) },
    ...{ signedAtMs: updatedAtMs, isFromMemory: fromCache }
  }
}

async function resolveDomain(
  { host, dnsLinks }: NameHandlerParts,
  domain: string,
  signal: AbortSignal
): Promise<NameStatus> {
  const { target, path, domains } = await dnsLinks.resolve(domain, { signal })
  const more = { domains, ...(path === '' ? {} : { path }) }
  if ('cid' in target) return { cid: target.cid.toString(), ...more }
  return { ...describeName(await host.names.resolve(target.name, { signal })), ...more }
}

function describeName(resolved: ResolvedName): NameStatus {
  const { value, sequence, validUntilMs, signedAtMs, peersAsked, peersAgreed, fromCache, confidence } =
    resolved
  return {
    ...{ cid: value.toString(), sequence: sequence.toString(), validUntilMs },
    ...{ peersAsked, peersAgreed, isFromMemory: fromCache },
    ...(signedAtMs === undefined ? {} : { signedAtMs }),
    ...(confidence === undefined ? {} : { confidence: describeConfidence(confidence) })
  }
}
