import { hash } from 'node:crypto'
import { openEnvelope, sealEnvelope, type Did, type Signer } from '#did'
import { RoomError } from '../errors.ts'
import { readMap } from '../wire.ts'
import {
  EPOCHS_NAMED_MAX,
  FRAME_BYTES_MAX,
  FRAME_TYPE,
  GROUP_ID_BYTES,
  PRIVATE_PROTOCOL
} from './constants.ts'

/** What goes from device to device. Everything but who it is from, the group and the epoch is encrypted. */
export type Frame =
  | {
      /** `tip` names the epoch that a `welcome` leads to, that a `commit` ends and a `message` belongs to. */
      readonly kind: 'welcome' | 'commit' | 'message'
      readonly group: string
      readonly tip: string
      /** A message of MLS. */
      readonly body: Uint8Array
    }
  | {
      /** Names the epochs the sender knows, newest first, so that the other sends what is missing. */
      readonly kind: 'sync'
      readonly group: string
      readonly chain: readonly string[]
    }
  | {
      /** Asks to be taken in (again) by the prekey in `body`. */
      readonly kind: 'rejoin'
      readonly group: string
      readonly body: Uint8Array
    }

/** A frame and the device that signed it. */
export type SignedFrame = Frame & { readonly from: Did }

/** Signs a frame. @throws RoomError `ERR_PRIVATE_FULL` when it is larger than anybody takes */
export function sealFrame(signer: Signer, frame: Frame): Uint8Array {
  const { kind } = frame
  const group = Buffer.from(frame.group, 'hex')
  const payload =
    kind === 'sync'
      ? { kind, group, chain: frame.chain.map((tip) => Buffer.from(tip, 'hex')) }
      : kind === 'rejoin'
        ? { kind, group, body: frame.body }
        : { kind, group, tip: Buffer.from(frame.tip, 'hex'), body: frame.body }
  const bytes = sealEnvelope(signer, { domain: PRIVATE_PROTOCOL, type: FRAME_TYPE, payload })
  if (bytes.length > FRAME_BYTES_MAX)
    throw new RoomError('ERR_PRIVATE_FULL', `expected a frame of at most ${FRAME_BYTES_MAX} bytes`)
  return bytes
}

/** Verifies a frame. @throws RoomError `ERR_PRIVATE_MALFORMED` */
export function openFrame(bytes: Uint8Array): SignedFrame {
  let opened: ReturnType<typeof openEnvelope>
  try {
    const expected = { domain: PRIVATE_PROTOCOL, type: FRAME_TYPE, bytesMax: FRAME_BYTES_MAX }
    opened = openEnvelope(bytes, expected)
  } catch (cause) {
    throw new RoomError('ERR_PRIVATE_MALFORMED', 'expected a signed frame', { cause })
  }
  const frame = readFrame(opened.payload)
  if (frame === undefined) throw new RoomError('ERR_PRIVATE_MALFORMED', 'expected a frame')
  return { ...frame, from: opened.signer }
}

/** The name of the epoch that a commit leads to: the SHA-256 of the commit. */
export function tipOf(commit: Uint8Array): string {
  return hash('sha256', commit, 'hex')
}

function readFrame(payload: unknown): Frame | undefined {
  const map = readMap(payload, ['kind', 'group'], ['tip', 'body', 'chain'])
  if (map === undefined) return undefined
  const { kind, tip, body, chain } = map
  const group = readId(map['group'])
  if (group === undefined) return undefined
  if (kind === 'sync') {
    const tips = Array.isArray(chain) && chain.length <= EPOCHS_NAMED_MAX ? chain.map(readId) : []
    if (tip !== undefined || body !== undefined || tips.length === 0) return undefined
    return tips.every((one) => one !== undefined) ? { kind, group, chain: tips } : undefined
  }
  if (!(body instanceof Uint8Array) || chain !== undefined) return undefined
  if (kind === 'rejoin') return tip === undefined ? { kind, group, body } : undefined
  const named = readId(tip)
  if (named === undefined || (kind !== 'welcome' && kind !== 'commit' && kind !== 'message')) return undefined
  return { kind, group, tip: named, body }
}

function readId(value: unknown): string | undefined {
  if (!(value instanceof Uint8Array) || value.length !== GROUP_ID_BYTES) return undefined
  return Buffer.from(value).toString('hex')
}
