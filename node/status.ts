import type { Content } from '#content'
import type { NodeStatus, PeerStatus } from '#contracts'
import type { Host } from '#dht'
import type { NodeBase } from './base.ts'
import { processId } from './powers.ts'
import type { NodeInit } from './types.ts'
import { VERSION } from './version.ts'

/** What a status is read from. */
export interface StatusParts {
  readonly host: Host
  readonly content: Pick<Content, 'status'>
  readonly init: NodeInit
  /** What only a seed has. */
  readonly seed?: { readonly bootstrapUrl: string; readonly metricsUrl: string } | undefined
}

/** Reads what the node is and does, each time it is called. */
export function createStatusReader(base: NodeBase, parts: StatusParts): () => NodeStatus {
  const { host, content, init, seed } = parts
  const { clock, keystore, paths } = base
  const startedAtMs = clock.monotonicMs()
  return () => {
    const { reach, announced, listening, advice } = host.reachability()
    const addresses = announced.length > 0 ? announced : listening
    return {
      version: VERSION,
      pid: processId(),
      role: init.seed === undefined ? 'peer' : 'seed',
      did: host.did,
      personDid: keystore.personDid,
      peerId: host.peerId,
      reach,
      addresses,
      dataFolder: paths.root,
      peerCount: host.peers().length,
      uptimeMs: Math.round(clock.monotonicMs() - startedAtMs),
      hasChatted: base.choices.hasChatted === true,
      shell: init.shell ?? 'prompt',
      wordsPending: keystore.summary().status.root !== 'absent',
      traffic: describeTraffic(content),
      ...(host.portFallback === undefined ? {} : { portFallback: host.portFallback }),
      ...(advice.length === 0 ? {} : { advice: describeAdvice(advice) }),
      ...(seed ?? {})
    }
  }
}

function describeTraffic(content: StatusParts['content']): NodeStatus['traffic'] {
  const { sentBytes, receivedBytes, uploadMax, downloadMax } = content.status().flow
  return {
    ...{ sentBytes, receivedBytes },
    ...(uploadMax === undefined ? {} : { uploadMax }),
    ...(downloadMax === undefined ? {} : { downloadMax })
  }
}

function describeAdvice(advice: readonly { readonly flag: string; readonly reason: string }[]): string {
  return advice.map(({ flag, reason }) => `${flag} (${reason})`).join('; ')
}

/** The connected peers, for a person. */
export function readPeers({ host }: Pick<StatusParts, 'host'>, nowMs: number): PeerStatus[] {
  return host.peers().map(({ peerId, did, address, direction, connectedAtMs }) => ({
    peerId,
    ...(did === undefined ? {} : { did }),
    addresses: [address],
    direction,
    openedMsAgo: Math.max(0, nowMs - connectedAtMs)
  }))
}
