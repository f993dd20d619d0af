import { errorMessage } from '#contracts'
import type { Did } from '#did'
import { AccessDesk } from './access.ts'
import { createAudit } from './audit.ts'
import type { Audit } from './audit-types.ts'
import type {
  AccessRequest,
  AccessVerdict,
  Authority,
  Delegation,
  Denial,
  DenialAnswer,
  Explanation,
  Grant,
  GrantFilter,
  GrantRequest,
  PeekOptions,
  RevocationListener,
  WhyQuery
} from './authority.ts'
import { LISTENERS_MAX, REASON_CHARS_MAX } from './constants.ts'
import { AuthorityCore, type AuthorityComponents, type AuthorityInit, type LogPlace } from './core.ts'
import { CapsuleError } from '../errors.ts'
import { explain } from './explain.ts'
import {
  delegateToken,
  endWith,
  forgetDenials,
  grantToken,
  listDenials,
  listGrants,
  recallAnswer,
  rememberDenial,
  revokeLineage,
  revokeToken
} from './grants.ts'
import { openHead } from './journal.ts'
import { decodeState } from './snapshot.ts'
import { applyEntry, createState, type AuthorityState } from './state.ts'
import { LAST_NUMBER, STORE_KEYS } from './store.ts'
import { walkLog } from './walk-log.ts'

/**
 * Opens the token store of this device. What happened since the newest snapshot is read again and checked; a log that is not as the
 * device wrote it opens too, but allows nothing until {@link Authority.revokeAll}. The store is disposed with the authority.
 *
 * @throws CapsuleError `ERR_AUTHORITY_STORE` when it cannot be read or written
 */
export async function openAuthority(
  components: AuthorityComponents,
  init: AuthorityInit = {}
): Promise<Authority> {
  await using stack = new AsyncDisposableStack()
  stack.use(components.store)
  const core = new AuthorityCore(components, init)
  await resume(core)
  const authority = new OpenAuthority(core)
  stack.move()
  return authority
}

/** Reads the log from its newest snapshot on, and goes on with it. */
async function resume(core: AuthorityCore): Promise<void> {
  // Damage shows wherever the store is read: such a store opens too, and allows nothing.
  const read = await readLog(core).catch((thrown: unknown): ReadLog => ({ problem: errorMessage(thrown) }))
  if (read.problem !== undefined) {
    core.damage = read.problem
    core.components.logger.error('the record of grants is not as it was written', { reason: read.problem })
    return
  }
  if (read.place === undefined) {
    await core.begin()
    return
  }
  core.resume(read.state, read.place)
  core.record({ kind: 'open' })
  await core.settled()
}

type ReadLog =
  | { readonly problem: string; readonly state?: never; readonly place?: never }
  | { readonly problem?: never; readonly state: AuthorityState; readonly place: LogPlace | undefined }

async function readLog(core: AuthorityCore): Promise<ReadLog> {
  const { store, device } = core.components
  let state = createState(device.did)
  let isFirst = true
  let snapshot = 0
  const { head, problem } = await walkLog({
    ...{ store, device: device.did, isNewestOnly: true },
    visit: (entry, bytes) => {
      if (isFirst && bytes !== undefined) {
        state = decodeState(bytes)
        snapshot = entry.number
      }
      isFirst = false
      applyEntry(state, entry)
    }
  })
  if (problem !== undefined) return { problem: problem.sentence }
  if (head === undefined) return { state, place: undefined }
  return { state, place: { head, snapshot, segments: await readSegments(core) } }
}

/** Where the segments of the log begin, as their checkpoints say. */
async function readSegments({
  components
}: AuthorityCore): Promise<{ number: number; bytesBefore: number }[]> {
  const { store, device } = components
  const segments: { number: number; bytesBefore: number }[] = []
  const isWhole = (await store.get(STORE_KEYS.entry(0))) !== undefined
  if (isWhole) segments.push({ number: 0, bytesBefore: 0 })
  const range = { from: STORE_KEYS.checkpoint(0), to: STORE_KEYS.checkpoint(LAST_NUMBER) }
  for await (const [, sealed] of store.entries(range)) {
    const checkpoint = openHead(device.did, sealed)
    if (checkpoint !== undefined) segments.push({ number: checkpoint.number, bytesBefore: checkpoint.bytes })
  }
  return segments
}

/** Puts the log aside that was not as it was written, and begins a new one that says so. */
async function beginAnew(core: AuthorityCore): Promise<void> {
  const after = core.damage?.slice(0, REASON_CHARS_MAX)
  await core.components.store.setAside()
  await core.begin(after)
  core.damage = undefined
}

/** The parts of the authority behind its front door. */
class OpenAuthority implements Authority {
  readonly deviceDid: Did
  readonly audit: Audit
  readonly #core: AuthorityCore
  readonly #desk: AccessDesk
  #renewing: Promise<void> | undefined

  constructor(core: AuthorityCore) {
    this.#core = core
    this.#desk = new AccessDesk(core)
    this.deviceDid = core.components.device.did
    this.audit = createAudit(core, () => this.#desk.writeSummaries())
  }

  get epoch(): number {
    return this.#core.state.epoch
  }

  get damage(): string | undefined {
    return this.#core.damage
  }

  audienceOf(lineage: string): Did {
    return this.#core.keyOf(lineage).did
  }

  async grant(request: GrantRequest): Promise<Grant> {
    return await grantToken(this.#core, request)
  }

  async delegate(delegation: Delegation): Promise<Grant> {
    return await delegateToken(this.#core, delegation)
  }

  async remember(answer: DenialAnswer): Promise<void> {
    await rememberDenial(this.#core, answer)
  }

  async forget(
    lineage: string,
    what?: { readonly command: string; readonly resource: string }
  ): Promise<number> {
    return await forgetDenials(this.#core, lineage, what)
  }

  recall(question: Parameters<Authority['recall']>[0]): ReturnType<Authority['recall']> {
    return recallAnswer(this.#core, question)
  }

  async authorize(request: AccessRequest): Promise<AccessVerdict> {
    return await this.#desk.authorize(request)
  }

  peek(request: AccessRequest, options?: PeekOptions): AccessVerdict {
    return this.#desk.peek(request, options)
  }

  async revoke(tokenCid: string): Promise<Grant[]> {
    return await revokeToken(this.#core, tokenCid)
  }

  async revokeLineage(lineage: string): Promise<Grant[]> {
    return await revokeLineage(this.#core, lineage)
  }

  async revokeAll(): Promise<Grant[]> {
    const core = this.#core
    if (core.damage !== undefined) {
      this.#renewing ??= beginAnew(core).finally(() => (this.#renewing = undefined))
      await this.#renewing
      return []
    }
    core.assertUsable()
    return await endWith(core, () => core.record({ kind: 'revoke-all' }, core.state.epoch + 1))
  }

  async endSession(sessionId: string): Promise<void> {
    this.#desk.endSession(sessionId)
    const core = this.#core
    const isHeld = core.state.grants
      .values()
      .some((grant) => grant.sessionId === sessionId && grant.ended === undefined)
    if (!isHeld || core.failure !== undefined) return
    core.record({ kind: 'session-end', sessionId })
    await core.settled()
  }

  onRevoked(listener: RevocationListener): Disposable {
    const { listeners } = this.#core
    if (listeners.size >= LISTENERS_MAX) {
      throw new CapsuleError('ERR_GRANT_LIMIT', `expected at most ${LISTENERS_MAX} listeners of revocations`)
    }
    // Wrapped, so that whoever listens twice is told twice and can stop once.
    const own: RevocationListener = (grant, code) => listener(grant, code)
    listeners.add(own)
    return { [Symbol.dispose]: () => listeners.delete(own) }
  }

  list(filter?: GrantFilter): Grant[] {
    return listGrants(this.#core, filter)
  }

  denials(lineage?: string): Denial[] {
    return listDenials(this.#core, lineage)
  }

  lineages(): string[] {
    return [...this.#core.state.lineages.keys()]
  }

  async why(query: WhyQuery): Promise<Explanation> {
    return await Promise.try(() => explain(this.#core, query))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const core = this.#core
    if (core.isClosed) return
    this.#desk[Symbol.dispose]()
    core.isClosed = true
    await core.journal[Symbol.asyncDispose]()
    await core.components.store[Symbol.asyncDispose]()
  }
}
