import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto'
import { errorCode, type Clock, type Logger, type Random } from '#contracts'
import { encodeCanonical } from '#did'
import {
  MAILBOX_DOMAIN,
  MAILBOX_EARLY_READS,
  MAILBOX_GATHER_COMPANY_MS,
  MAILBOX_GATHER_MS,
  MAILBOX_LEAVE_MS,
  MAILBOX_READ_MS,
  MAILBOX_TIMEOUT_MS,
  MAILBOX_WAITING_MAX,
  PEERS_FEW
} from '../constants.ts'
import { startDeadline } from '../deadline.ts'
import { nthWait } from '../pause.ts'
import type { Mailbox } from './mailbox.ts'

const NONCE_BYTES = 12
const TAG_BYTES = 16
const KEY_BYTES = 32

/** The mailbox of a room: its address and its key follow from the name, which its members know. */
export interface RoomBox {
  readonly address: Uint8Array
  seal(message: Uint8Array, random: Pick<Random, 'bytes'>): Uint8Array
  /** The message in an item; `undefined` when it is none of this room. */
  open(item: Uint8Array): Uint8Array | undefined
}

/** The mailbox of the room with this name, in its normal form. */
export function roomBox(room: string): RoomBox {
  const address = createHash('sha256')
    .update(encodeCanonical([MAILBOX_DOMAIN, 'room', room]))
    .digest()
  const key = Buffer.from(hkdfSync('sha256', encodeCanonical([room]), address, MAILBOX_DOMAIN, KEY_BYTES))
  return {
    address,
    seal: (message, random) => {
      const nonce = random.bytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, nonce)
      return Buffer.concat([nonce, cipher.update(message), cipher.final(), cipher.getAuthTag()])
    },
    open: (item) => {
      if (item.length < NONCE_BYTES + TAG_BYTES) return undefined
      const decipher = createDecipheriv('aes-256-gcm', key, item.subarray(0, NONCE_BYTES))
      decipher.setAuthTag(item.subarray(-TAG_BYTES))
      try {
        return Buffer.concat([decipher.update(item.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()])
      } catch {
        return undefined
      }
    }
  }
}

/** Collaborators of the mail of a room. */
export interface RoomMailComponents {
  readonly mailbox: Mailbox
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** Which room's mail, and who takes it. */
export interface RoomMailInit {
  readonly room: string
  /** Takes a message that was kept; it is verified there. */
  readonly take: (bytes: Uint8Array) => void
  /** How many members are connected now. */
  readonly peerCount: () => number
}

/** Leaves what we say in the room's mailbox, and reads it. */
export interface RoomMail extends AsyncDisposable {
  /** Has a text of ours kept for whoever comes later. */
  post(bytes: Uint8Array): void
}

/** Starts reading soon; disposing it deposits what was not deposited yet. */
export function startRoomMail(components: RoomMailComponents, init: RoomMailInit): RoomMail {
  const { room, take, peerCount } = init
  const { mailbox, clock, random, logger } = components
  const box = roomBox(room)
  const waiting: Uint8Array[] = []
  const stopping = new AbortController()
  let depositing = Promise.resolve()
  let gathering: Disposable | undefined

  const deposit = async (timeoutMs: number): Promise<void> => {
    const items = waiting.splice(0)
    if (items.length === 0) return
    // Of its own: what is left is deposited while everything else stops.
    using deadline = startDeadline(clock, timeoutMs, new AbortController().signal)
    const keepers = await mailbox.deposit({ box: box.address }, items, deadline).catch(() => 0)
    if (keepers === 0) logger.debug('nobody keeps what was said', { texts: items.length })
  }
  // Of the readings that follow each other soon, each goes on where the one before left off.
  const first = new Map<string, number>()
  const read = async (reads: number): Promise<void> => {
    using deadline = startDeadline(clock, MAILBOX_TIMEOUT_MS, stopping.signal)
    const places = reads < MAILBOX_READ_MS.length - 1 ? first : new Map<string, number>()
    const options = { signal: deadline.signal, places }
    for await (const item of mailbox.collect({ box: box.address }, options)) {
      const message = box.open(item)
      if (message !== undefined) take(message)
    }
  }
  const run = async (): Promise<void> => {
    for (let reads = 0; !stopping.signal.aborted; reads++) {
      await clock.sleep(nthWait(MAILBOX_READ_MS, reads), stopping.signal).catch(() => undefined)
      if (stopping.signal.aborted) return
      // Members who are here tell what was said; what none of them has may wait.
      if (reads < MAILBOX_EARLY_READS && peerCount() >= PEERS_FEW) continue
      await read(reads).catch((error: unknown) =>
        logger.debug('mailbox not read', { code: errorCode(error) })
      )
    }
  }
  const reading = run()
  return {
    post: (bytes) => {
      if (waiting.length >= MAILBOX_WAITING_MAX) waiting.shift()
      waiting.push(box.seal(bytes, random))
      const gatherMs = peerCount() < PEERS_FEW ? MAILBOX_GATHER_MS : MAILBOX_GATHER_COMPANY_MS
      gathering ??= clock.after(gatherMs, () => {
        gathering = undefined
        depositing = depositing.then(async () => await deposit(MAILBOX_TIMEOUT_MS))
      })
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      gathering?.[Symbol.dispose]()
      await reading
      await depositing
      await deposit(MAILBOX_LEAVE_MS)
    }
  }
}
