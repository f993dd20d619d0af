import { parseCidPath, type Content } from '#content'
import type { ConfidenceStatus, ProvideNetworkStatus, ProviderPeerStatus } from '#contracts'
import type { Confidence, Host, NetworkProvideStatus } from '#dht'
import { didFromPeerId, peerIdFromDid } from '#did'
import type { HandlersOf } from './handlers.ts'

/** Providers that are named unless the caller says otherwise. */
const PROVIDERS_NAMED = 20

/** What the handlers act on. */
export interface DhtHandlerParts {
  readonly host: Pick<Host, 'routing' | 'inspection' | 'provideStatus'>
  readonly content: Pick<Content, 'provideNow'>
}

type DhtMethod = 'dht.provide' | 'dht.provide-status' | 'dht.find-providers' | 'dht.find-peer'

/** The DHT for people who want to see into it. */
export function createDhtHandlers({ host, content }: DhtHandlerParts): HandlersOf<DhtMethod> {
  return {
    'dht.provide': async ({ cid: text }, { signal }) => {
      const { cid } = parseCidPath(text)
      await content.provideNow(cid, { signal })
      return { cid: cid.toString() }
    },
    'dht.provide-status': async () => ({ networks: (await host.provideStatus()).map(describeNetwork) }),
    'dht.find-providers': async ({ cid: text, count = PROVIDERS_NAMED }, { signal }) => {
      const { cid } = parseCidPath(text)
      const providers: ProviderPeerStatus[] = []
      for await (const { peerId, multiaddrs } of host.routing.findProviders(cid, { signal })) {
        providers.push(describePeer(peerId, multiaddrs))
        if (providers.length >= count) break
      }
      const confidence = await host.inspection.judgeContent(cid, signal)
      return { providers, confidence: describeConfidence(confidence) }
    },
    'dht.find-peer': async ({ peer }, { signal }) => {
      const found = await host.inspection.findPeer(readPeerId(peer), signal)
      const { peerId, multiaddrs, isConnected, confidence } = found
      return {
        ...describePeer(peerId, multiaddrs),
        ...{ isConnected, confidence: describeConfidence(confidence) }
      }
    }
  }
}

/** A did, a PeerId, or an address that ends with one; by way of the did, so that what is no Ed25519 key is refused. */
function readPeerId(text: string): string {
  if (text.startsWith('did:')) return peerIdFromDid(text)
  return peerIdFromDid(didFromPeerId(text.split('/').at(-1) ?? text))
}

function describePeer(peerId: string, multiaddrs: readonly string[]): ProviderPeerStatus {
  const did = didOf(peerId)
  return { peerId, addresses: multiaddrs, ...(did === undefined ? {} : { did }) }
}

/** Peers with other than Ed25519 keys have no did here. */
function didOf(peerId: string): string | undefined {
  try {
    return didFromPeerId(peerId)
  } catch {
    return undefined
  }
}

/** How far an answer can be trusted, for a command. */
export function describeConfidence({ level, doubts, peers, networkSize }: Confidence): ConfidenceStatus {
  return { level, doubts, peers, ...(networkSize === undefined ? {} : { networkSize }) }
}

function describeNetwork(status: NetworkProvideStatus): ProvideNetworkStatus {
  const { lastAtMs, nextAtMs, previous, ...rest } = status
  return {
    ...rest,
    ...(lastAtMs === undefined ? {} : { lastAtMs }),
    ...(nextAtMs === undefined ? {} : { nextAtMs }),
    ...(previous === undefined ? {} : { previous })
  }
}
