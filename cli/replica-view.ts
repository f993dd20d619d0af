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
    `${copies.length} of ${copiesWanted} ${copiesWanted === 1 ? 'copy' : 'copies'}${coming}`,
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
    labelsOf(copy),
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

/** Where it is, as far as it says: a device that says nothing is its own host, and its did is there already. */
function labelsOf({ holder, host, network }: ReplicaCopyStatus): string {
  const isOwnHost = host !== undefined && holder.endsWith(host)
  return [isOwnHost ? undefined : host, network].filter((label) => label !== undefined).join(' ')
}

function describeChallenge({ isThis, challenge, prepared }: ReplicaCopyStatus, nowMs: number): string {
  if (isThis) return ''
  const left =
    prepared === undefined ? '' : `, ${prepared} prepared ${prepared === 1 ? 'question' : 'questions'} left`
  if (challenge === undefined) return `not challenged yet${left}`
  const { atMs, isPassed, tookMs } = challenge
  const ago = `${seconds(nowMs - atMs)} ago`
  return `${isPassed ? `showed it ${ago} in ${tookMs} ms` : `failed ${ago}`}${left}`
}

function seconds(ms: number): string {
  return `${Math.max(0, Math.round(ms / 1_000))} s`
}
