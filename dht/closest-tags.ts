import type { KadDHT } from '@libp2p/kad-dht'

/** What of a kad-dht's list of the nearest peers it met is not in its declared interface; held by the test of this file. */
interface ClosestPeers {
  readonly newPeers?: { readonly peers: readonly { readonly peer: { readonly id: unknown } }[] }
  updatePeerTags(): Promise<void>
}

/**
 * Tags the nearest peers only when they are others than before. kad-dht compares the two lists every five seconds, and reads each
 * PeerId anew from its text for that: a seventh of what an idle node did.
 */
export function tagWhenOthers(dht: KadDHT): void {
  const { closestPeerTagger } = (dht as unknown as { routingTable: { closestPeerTagger?: ClosestPeers } })
    .routingTable
  if (closestPeerTagger === undefined) return
  const update = closestPeerTagger.updatePeerTags.bind(closestPeerTagger)
  let tagged: readonly unknown[] = []
  closestPeerTagger.updatePeerTags = async () => {
    const nearest = (closestPeerTagger.newPeers?.peers ?? []).map(({ peer }) => peer.id)
    if (nearest.length === tagged.length && nearest.every((id, index) => id === tagged[index])) return
    await update()
    tagged = nearest
  }
}
