import {
  CAPSULE_CHANNEL_LIMITS,
  createJsonLinesDecoder,
  encodeJsonLine,
  errorMessage,
  type CapsuleRequestId
} from '#contracts'
import { CapsuleError } from '../errors.ts'
import { CHANNEL_COST_BYTES } from './constants.ts'

/** A line of the channel, its form checked and no more. */
export type ChannelMessage =
  | {
      readonly kind: 'request'
      readonly id: CapsuleRequestId
      readonly method: string
      readonly params: unknown
    }
  | { readonly kind: 'notification'; readonly method: string; readonly params: unknown }
  | { readonly kind: 'result'; readonly id: CapsuleRequestId; readonly result: unknown }
  | { readonly kind: 'failure'; readonly id: CapsuleRequestId; readonly code: string | undefined }
  /** An answer that answers nothing. */
  | { readonly kind: 'void' }
  | { readonly kind: 'invalid' }

/** Takes a channel apart into messages. */
export interface ChannelReader {
  /** @throws CapsuleError `ERR_CAPSULE_CHANNEL` for a line too long or not JSON; it is then of no further use */
  push(bytes: Uint8Array): { readonly messages: readonly ChannelMessage[]; readonly cost: number }
}

/** A reader of one channel. */
export function createChannelReader(): ChannelReader {
  const decoder = createJsonLinesDecoder(CAPSULE_CHANNEL_LIMITS.lineBytesMax)
  let uncountedBytes = 0
  return {
    push: (bytes) => {
      const messages = decode(() => decoder.push(bytes)).map(readMessage)
      uncountedBytes += bytes.byteLength
      const units = Math.floor(uncountedBytes / CHANNEL_COST_BYTES)
      uncountedBytes -= units * CHANNEL_COST_BYTES
      return { messages, cost: messages.length + units }
    }
  }
}

/** A message as a line. */
export function encodeMessage(message: object): Uint8Array {
  return new TextEncoder().encode(encodeJsonLine(message))
}

/** A line without its newline is at most so long. */
export function fitsLine(line: Uint8Array): boolean {
  return line.byteLength - 1 <= CAPSULE_CHANNEL_LIMITS.lineBytesMax
}

function decode(push: () => unknown[]): unknown[] {
  try {
    return push()
  } catch (cause) {
    throw new CapsuleError('ERR_CAPSULE_CHANNEL', `the capsule broke its channel: ${errorMessage(cause)}`, {
      cause
    })
  }
}

function readMessage(value: unknown): ChannelMessage {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { kind: 'invalid' }
  const message = value as Record<string, unknown>
  const { jsonrpc, id, method, params } = message
  if (jsonrpc !== '2.0') return { kind: 'invalid' }
  if (method === undefined) return readAnswer(message)
  if (typeof method !== 'string') return { kind: 'invalid' }
  if (id === undefined) return { kind: 'notification', method, params }
  return isRequestId(id) ? { kind: 'request', id, method, params } : { kind: 'invalid' }
}

function readAnswer(message: Record<string, unknown>): ChannelMessage {
  const { id, error } = message
  const isResult = Object.hasOwn(message, 'result')
  const isFailure = Object.hasOwn(message, 'error')
  if (isResult === isFailure) return { kind: 'invalid' }
  if (!isRequestId(id)) return { kind: 'void' }
  if (isResult) return { kind: 'result', id, result: message['result'] }
  return { kind: 'failure', id, code: failureCode(error) }
}

function failureCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('data' in error)) return undefined
  const { data } = error
  if (typeof data !== 'object' || data === null || !('code' in data)) return undefined
  return typeof data.code === 'string' && data.code.length <= 64 ? data.code : undefined
}

function isRequestId(id: unknown): id is CapsuleRequestId {
  if (typeof id === 'string') return id.length <= CAPSULE_CHANNEL_LIMITS.idLengthMax
  return typeof id === 'number' && Number.isSafeInteger(id)
}
