import { errorCode, type Clock } from '#contracts'
import type { Did } from '#did'
import { RECORD_BYTES_MAX, SEED_FETCH_TIMEOUT_MS } from './constants.ts'
import { BootstrapError } from './errors.ts'
import type { BootstrapPowers, HttpGot } from './http.ts'
import { openBootstrapRecord, type BootstrapRecord } from './record.ts'
import type { SeedTarget } from './value.ts'

/** What a seed is asked with. */
export interface SeedClientComponents {
  readonly powers: Pick<BootstrapPowers, 'getHttp'>
  readonly clock: Pick<Clock, 'nowMs' | 'after'>
}

/** Options of {@link fetchBootstrapRecord}. */
export interface FetchRecordInit {
  /** The network this node is of. */
  readonly network: string
  readonly signal?: AbortSignal
  /** How long the seed may take; `SEED_FETCH_TIMEOUT_MS` when absent. */
  readonly timeoutMs?: number
}

/**
 * Asks a seed for its bootstrap record and verifies it. With a pin the signer must be that did; without one the
 * record says who signed, and whether to believe that is the caller's to decide.
 *
 * @throws BootstrapError `ERR_SEED_UNREACHABLE`, `ERR_SEED_ANSWER`, `ERR_SEED_SIGNER`, or an `ERR_RECORD_…` code; the
 * reason of `signal` when it aborts
 */
export async function fetchBootstrapRecord(
  components: SeedClientComponents,
  target: SeedTarget,
  init: FetchRecordInit
): Promise<BootstrapRecord> {
  const bytes = await fetchBytes(components, target.url, init)
  const record = openBootstrapRecord(bytes, { network: init.network, nowMs: components.clock.nowMs() })
  if (target.pin !== undefined) assertSigner(record, target.url, target.pin)
  return record
}

function assertSigner(record: BootstrapRecord, url: string, pin: Did): void {
  if (record.did === pin) return
  throw new BootstrapError('ERR_SEED_SIGNER', `expected ${url} to sign as ${pin}, got ${record.did}`)
}

async function fetchBytes(
  components: SeedClientComponents,
  url: string,
  init: FetchRecordInit
): Promise<Uint8Array> {
  init.signal?.throwIfAborted()
  const timeoutMs = init.timeoutMs ?? SEED_FETCH_TIMEOUT_MS
  const deadline = new AbortController()
  using _timer = components.clock.after(timeoutMs, () => {
    deadline.abort(new Error(`no answer within ${timeoutMs} ms`))
  })
  const signal = init.signal === undefined ? deadline.signal : AbortSignal.any([deadline.signal, init.signal])
  let got: HttpGot
  try {
    got = await components.powers.getHttp({ url: `${url}/bootstrap`, bytesMax: RECORD_BYTES_MAX, signal })
  } catch (cause) {
    init.signal?.throwIfAborted()
    throw failedFetch(url, deadline.signal.aborted ? deadline.signal.reason : cause)
  }
  if (got.status === 200) return got.bytes
  throw new BootstrapError(
    'ERR_SEED_ANSWER',
    `expected a bootstrap record from ${url}, got status ${got.status}`
  )
}

function failedFetch(url: string, cause: unknown): BootstrapError {
  const code = errorCode(cause)
  if (code === 'ANSWER_TOO_LARGE' || code?.startsWith('HPE_') === true) {
    return new BootstrapError(
      'ERR_SEED_ANSWER',
      `expected a bootstrap record from ${url}, got something else`,
      { cause }
    )
  }
  const why = code ?? 'no answer in time'
  return new BootstrapError('ERR_SEED_UNREACHABLE', `expected a seed to answer at ${url}: ${why}`, { cause })
}
