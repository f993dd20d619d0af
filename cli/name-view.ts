import type { NameStatus } from '#contracts'
import { describeDoubts } from './confidence-view.ts'

/** What a name points to, on one line. */
export function targetOf({ cid, path }: NameStatus): string {
  return path === undefined ? cid : `${cid}/${path}`
}

/** How fresh the answer is, for people. */
export function describeFreshness(name: NameStatus): string[] {
  const { sequence, signedAtMs, validUntilMs, peersAsked, peersAgreed, isFromMemory, domains } = name
  const facts = [
    ...(domains === undefined ? [] : [`by way of ${domains.join(', ')}`]),
    ...(sequence === undefined ? [] : [`version ${sequence}`]),
    ...(signedAtMs === undefined ? [] : [`signed ${new Date(signedAtMs).toISOString()}`]),
    ...(validUntilMs === undefined ? [] : [`valid until ${new Date(validUntilMs).toISOString()}`]),
    ...(peersAsked === undefined ? [] : [`${peersAgreed ?? 0} of ${peersAsked} peers agree`])
  ]
  const memory = isFromMemory === true ? ['the network has no record now: this node remembers this one'] : []
  const doubts = name.confidence === undefined ? [] : describeDoubts(name.confidence)
  return [facts.join(', '), ...memory, ...doubts].filter((line) => line !== '')
}
