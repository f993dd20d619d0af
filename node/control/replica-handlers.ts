import { parseCidPath, type Content } from '#content'
import type { ReplicaCopyStatus, ReplicaGroupStatus, ReplicaQuotaStatus, ReplicaRootStatus } from '#contracts'
import { parseDid, type Did } from '#did'
import {
  ReplicationError,
  type GroupStatus,
  type QuotaStatus,
  type ReplicaCopy,
  type ReplicaStatus,
  type Replication
} from '#replication'
import type { Contacts } from '../contacts.ts'
import type { Devices } from '../devices/devices.ts'
import type { HandlersOf } from './handlers.ts'
import { takeRows } from './rows.ts'

/** What the handlers act on. */
export interface ReplicaHandlerParts {
  readonly replication: Replication
  readonly contacts: Pick<Contacts, 'didOf'>
  readonly content: Pick<Content, 'pinned'>
  readonly devices: Pick<Devices, 'list' | 'listedOf'>
  readonly personDid: Did
}

type ReplicaMethod =
  | 'replica.follow'
  | 'replica.unfollow'
  | 'replica.group-create'
  | 'replica.group-join'
  | 'replica.group-leave'
  | 'replica.agreements'
  | 'replica.offer'
  | 'replica.quota'
  | 'replica.goal'
  | 'replica.status'
  | 'replica.repair'
  | 'replica.leave'

/** What is kept for others and by others. */
export function createReplicaHandlers(parts: ReplicaHandlerParts): HandlersOf<ReplicaMethod> {
  const { replication, contacts } = parts
  const didOf = (text: string): Did => (text.startsWith('did:') ? parseDid(text) : contacts.didOf(text))
  return {
    'replica.follow': async ({ person: text }) => {
      const person = didOf(text)
      await replication.follow(person)
      return { person, quota: describeQuota(replication.quota()) }
    },
    'replica.unfollow': async ({ person: text }) => {
      const person = didOf(text)
      await replication.unfollow(person)
      return { person }
    },
    ...createGroupHandlers(parts, didOf),
    'replica.offer': async ({ volunteer, ...init }) =>
      describeQuota(
        await replication.offer({ ...init, ...(volunteer === undefined ? {} : { isVolunteer: volunteer }) })
      ),
    'replica.quota': async () => await Promise.resolve(describeQuota(replication.quota())),
    'replica.goal': async ({ cid: text, copies, readers }, { signal }) => {
      const cid = parseCidPath(text).cid.toV1()
      const isPublic = parts.content.pinned(cid)?.isPublic
      await replication.setGoal(cid.toString(), {
        ...{ copies, signal },
        ...(isPublic === undefined ? {} : { isPublic }),
        ...(readers === undefined ? {} : { readers: await readersOf(parts, readers.map(didOf), signal) })
      })
      return describeRoot(parts, replication.status(cid.toString()))
    },
    'replica.status': async ({ cid: text, challenge = false }) => {
      if (text === undefined) {
        const { rows, isCut } = await takeRows(replication.list(), {
          describe: (one) => describeRoot(parts, one)
        })
        return { roots: rows, isCut }
      }
      const root = parseCidPath(text).cid.toV1().toString()
      const status = challenge ? await replication.challenge(root) : replication.status(root)
      return { roots: [describeRoot(parts, status)], isCut: false }
    },
    'replica.repair': async () => await replication.repair(),
    'replica.leave': async () => {
      await replication.leave()
      return describeQuota(replication.quota())
    }
  }
}

/**
 * Content is served to devices: of a person those that are theirs now, by the list they published and by their offers.
 *
 * @throws ReplicationError `ERR_REPLICA_GOAL_INVALID` for a person none of whose devices is known
 */
async function readersOf(
  parts: ReplicaHandlerParts,
  dids: readonly Did[],
  signal: AbortSignal
): Promise<Did[]> {
  const { replication, devices, personDid } = parts
  const people = [...replication.followed(), ...replication.groups().flatMap(({ members }) => members)]
  const readers = dids.map(async (did): Promise<readonly Did[]> => {
    if (did === personDid) {
      return devices.list().flatMap(({ device, isRevoked }) => (isRevoked ? [] : [device]))
    }
    const found = [...(await devices.listedOf(did, signal)), ...replication.devicesOf(did)]
    if (found.length > 0) return found
    // what nobody knows to be a person is a device
    if (!people.includes(did)) return [did]
    throw new ReplicationError(
      'ERR_REPLICA_GOAL_INVALID',
      `no device of ${did} is known yet: give the did of the reader's device, as 'elastos node status' says there`
    )
  })
  return [...new Set((await Promise.all(readers)).flat())]
}

function createGroupHandlers(
  { replication }: ReplicaHandlerParts,
  didOf: (text: string) => Did
): HandlersOf<'replica.group-create' | 'replica.group-join' | 'replica.group-leave' | 'replica.agreements'> {
  const find = (id: string): ReplicaGroupStatus | undefined =>
    replication
      .groups()
      .map(describeGroup)
      .find((group) => group.id === id)
  return {
    'replica.group-create': async ({ name, members }) => {
      const group = await replication.createGroup(name, members.map(didOf))
      return find(group.id) ?? describeGroup({ ...group, isOwn: true })
    },
    'replica.group-join': async ({ id }) => {
      const group = await replication.joinGroup(id)
      return find(group.id) ?? describeGroup({ ...group, isOwn: false })
    },
    'replica.group-leave': async ({ id }) => {
      await replication.leaveGroup(id)
      return { id }
    },
    'replica.agreements': async () =>
      await Promise.resolve({
        followed: [...replication.followed()],
        groups: replication.groups().map(describeGroup)
      })
  }
}

function describeGroup({ id, name, person, members, isOwn }: GroupStatus): ReplicaGroupStatus {
  return { id, name, person, members, isOwn }
}

function describeQuota(quota: QuotaStatus): ReplicaQuotaStatus {
  return { ...quota }
}

function describeRoot(
  { personDid }: Pick<ReplicaHandlerParts, 'personDid'>,
  status: ReplicaStatus
): ReplicaRootStatus {
  const { root, goal, wanted, copies, taking, candidates } = status
  const { person, bytes, isPublic } = goal
  return {
    ...{ cid: root, person, isOwn: person === personDid, bytes, isPublic },
    ...{ copiesGoal: goal.copies, copiesWanted: wanted, taking, candidates },
    copies: copies.map(describeCopy)
  }
}

function describeCopy({ holder, isThis, ...known }: ReplicaCopy): ReplicaCopyStatus {
  const { person, host, network, leaseMs, challenge, prepared } = known
  return {
    ...{ holder, isThis },
    ...(person === undefined ? {} : { person }),
    ...(host === undefined ? {} : { host }),
    ...(network === undefined || network === '' ? {} : { network }),
    ...(leaseMs === undefined ? {} : { leaseMs }),
    ...(challenge === undefined ? {} : { challenge }),
    ...(prepared === 0 ? {} : { prepared })
  }
}
