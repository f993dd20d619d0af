import { silentLogger } from '#contracts'
import {
  createMemoryAuthorityStore,
  openAuthority,
  type AccessRequest,
  type Authority,
  type AuthorityInit,
  type AuthorityStore,
  type GrantRequest
} from '#capsule-host'
import { createKeyPair, type KeyPair } from '#did'
import { createSeededRandom } from '../../../support/seeded-random.ts'
import { createVirtualClock, type VirtualClock } from '../../../support/virtual-clock.ts'

/** The device of these tests. */
export const DEVICE: KeyPair = createKeyPair(createSeededRandom(1))
/** A capsule, and another one. */
export const NOTES = 'did:key:z6MkPublisher/notes'
export const MAIL = 'did:key:z6MkPublisher/mail'

const CEILING = [
  { command: 'localhost/*', resource: 'localhost://*' },
  { command: 'did/sign', resource: 'elastos://did/*' }
]

/** An authority over `records`, in virtual time. Opening another one over the same records is a restart. */
export interface AuthorityFixture extends AsyncDisposable {
  readonly authority: Authority
  readonly records: Map<string, Uint8Array>
  readonly clock: VirtualClock
}

/** What a test changes. */
export interface FixtureInit extends AuthorityInit {
  readonly records?: Map<string, Uint8Array>
  readonly clock?: VirtualClock
  readonly device?: KeyPair
  readonly store?: AuthorityStore
}

let opened = 0

/** Opens an authority. */
export async function openFixture(init: FixtureInit = {}): Promise<AuthorityFixture> {
  const { records = new Map<string, Uint8Array>(), clock = createVirtualClock(), device = DEVICE } = init
  const store = init.store ?? createMemoryAuthorityStore(records)
  const components = { store, device, clock, random: createSeededRandom(++opened), logger: silentLogger }
  const authority = await openAuthority(components, init)
  return {
    authority,
    records,
    clock,
    [Symbol.asyncDispose]: async () => await authority[Symbol.asyncDispose]()
  }
}

/** A call of the notes capsule: reading one note. */
export function reading(changes: Partial<AccessRequest> = {}): AccessRequest {
  return {
    ...{ lineage: NOTES, sessionId: 'session-1', ceiling: CEILING },
    ...{ command: 'localhost/read', resource: 'localhost://notes/a.txt' },
    ...changes
  }
}

/** A grant to the notes capsule: reading its notes, for good. */
export function notesGrant(changes: Partial<GrantRequest> = {}): GrantRequest {
  return {
    ...{ lineage: NOTES, command: 'localhost/read', resource: 'localhost://notes/*' },
    ...{ scope: 'always', decidedBy: 'person', ...changes }
  }
}
