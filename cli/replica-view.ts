import type { ReplicaCopyStatus, ReplicaQuotaStatus, ReplicaRootStatus } from '#contracts'
import { formatBytes, formatTable } from './output.ts'

/** What a status never fails to say, because it is easily believed to say more. */
export const CHALLENGE_NOTE =
  'a challenge shows that a holder reaches the content in time, not that each has a disk of its own'

/** One line about a root. */
export function describeReplicas(root: ReplicaRootStatus): string[] {
  const { copies, copiesWanted, taking } = root
  const coming = taking.length === 0 ? '' : `, ${taking.length} coming`
  return [
    root.cid,
    `${copies.length} of ${copiesWanted} copies${coming}`,
    formatBytes(root.bytes),
    root.isPublic ? 'public' : 'private',
    root.isOwn ? 'yours' : `of ${root.person}`
  ]
}

/** The copies of a root, one a line. */
export function describeCopies(root: ReplicaRootStatus, nowMs: number): string[] {
  const [line] = formatTable([describeReplicas(root)])
  const rows = root.copies.map((copy) => [
    `  ${copy.holder}`,
    copy.isThis ? 'this device' : `lease ${seconds(copy.leaseMs ?? 0)}`,
    [copy.host, copy.network].filter((label) => label !== undefined).join(' '),
    describeChallenge(copy, nowMs)
  ])
  const free = `${root.candidates} more ${root.candidates === 1 ? 'device offers' : 'devices offer'} space for it`
  return [line ?? '', ...formatTable(rows), `  ${free}`]
}

/** The space given to others, and who uses it. */
export function describeQuota(quota: ReplicaQuotaStatus): string[] {
  const { spaceBytes, usedBytes, held, fetching, publisherBytesMax, isVolunteer } = quota
  const whom = isVolunteer ? 'whoever asks' : 'those you follow and your groups'
  const coming = fetching === 0 ? '' : `, ${fetching} coming`
  return [
    `${formatBytes(usedBytes)} of ${formatBytes(spaceBytes)} for ${whom}: ${held} kept${coming}`,
    `at most ${formatBytes(publisherBytesMax)} for one publisher`,
    ...formatTable(
      quota.publishers.map(({ person, bytes, roots }) => [`  ${person}`, formatBytes(bytes), `${roots} kept`])
    )
  ]
}

function describeChallenge({ isThis, challenge }: ReplicaCopyStatus, nowMs: number): string {
  if (isThis) return ''
  if (challenge === undefined) return 'not challenged yet'
  const { atMs, isPassed, tookMs } = challenge
  return isPassed
    ? `showed it ${seconds(nowMs - atMs)} ago in ${tookMs} ms`
    : `failed ${seconds(nowMs - atMs)} ago`
}

function seconds(ms: number): string {
  return `${Math.max(0, Math.round(ms / 1_000))} s`
}
