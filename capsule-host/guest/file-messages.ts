/**
 * Calls on files between a capsule's process and the host: one question, one answer, each in one frame. Both sides use
 * this file; the host's reading of a question is strict, because a process that broke out of its engine may ask anything.
 *
 * A question is `[operation u8][fields]`, an answer `[0][fields]` or `[status u8]`. Numbers are little-endian, text is
 * UTF-8 behind its u16 length, bytes and the last text fill the rest.
 *
 * @see docs/protocols/capsule-files.md
 */
import { FRAME_PAYLOAD_BYTES_MAX } from './frames.ts'
import { FileMessageError, MessageReader, MessageWriter, type TimesMessage } from './message-codec.ts'

/** Bytes of a file that one call reads or writes. */
export const FILE_CALL_BYTES_MAX: number = FRAME_PAYLOAD_BYTES_MAX - 16
/** Folder entries that one answer holds at most. */
export const LIST_ENTRIES_MAX = 1024

/** Operations, by their number on the wire. */
const OPERATION = {
  stat: 1,
  list: 2,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  append: 7,
  truncate: 8,
  extend: 9,
  sync: 10,
  statHandle: 11,
  setHandleTimes: 12,
  setTimes: 13,
  makeFolder: 14,
  remove: 15,
  removeFolder: 16,
  rename: 17,
  readLink: 18,
  makeLink: 19,
  joinLink: 20
} as const

type Operation = keyof typeof OPERATION
const OPERATION_OF_NUMBER: ReadonlyMap<number, Operation> = new Map(
  Object.entries(OPERATION).map(([name, number]) => [number, name as Operation])
)

/** How a file call ended; the number on the wire is the place in this list. */
export const FILE_STATUSES = [
  'success',
  'ERR_FILE_NOT_FOUND',
  'ERR_FILE_EXISTS',
  'ERR_FILE_IS_FOLDER',
  'ERR_FILE_NOT_FOLDER',
  'ERR_FILE_NOT_EMPTY',
  'ERR_FILE_QUOTA',
  'ERR_FILE_NO_SPACE',
  'ERR_FILE_TOO_LARGE',
  'ERR_FILE_DENIED',
  'ERR_FILE_READ_ONLY',
  'ERR_FILE_PATH',
  'ERR_FILE_NAME_TOO_LONG',
  'ERR_FILE_INVALID',
  'ERR_FILE_BUSY',
  'ERR_FILE_LOOP',
  'ERR_FILE_TOO_MANY_OPEN',
  'ERR_FILE_UNSUPPORTED',
  'ERR_FILE_IO',
  'ERR_FILE_CORRUPT'
] as const

/** How a file call ended. */
export type FileStatus = (typeof FILE_STATUSES)[number]

/** A question about files. Handles are the host's numbers, from an answer to `open`. */
export type FileRequest =
  | { readonly operation: 'stat'; readonly isFollowing: boolean; readonly path: string }
  | { readonly operation: 'list'; readonly from: number; readonly path: string }
  | { readonly operation: 'open'; readonly flags: number; readonly path: string }
  | { readonly operation: 'close' | 'sync' | 'statHandle'; readonly handle: number }
  | { readonly operation: 'read'; readonly handle: number; readonly offset: number; readonly length: number }
  | {
      readonly operation: 'write'
      readonly handle: number
      readonly offset: number
      readonly bytes: Uint8Array
    }
  | { readonly operation: 'append'; readonly handle: number; readonly bytes: Uint8Array }
  | { readonly operation: 'truncate' | 'extend'; readonly handle: number; readonly size: number }
  | { readonly operation: 'setHandleTimes'; readonly handle: number; readonly times: TimesMessage }
  | {
      readonly operation: 'setTimes'
      readonly isFollowing: boolean
      readonly times: TimesMessage
      readonly path: string
    }
  | { readonly operation: 'makeFolder' | 'remove' | 'removeFolder' | 'readLink'; readonly path: string }
  | { readonly operation: 'rename' | 'joinLink'; readonly from: string; readonly path: string }
  | { readonly operation: 'makeLink'; readonly target: string; readonly path: string }

/** Bits of `flags` of `open`. */
export const OPEN_FLAG = { create: 1, exclusive: 2, truncate: 4, write: 8, follow: 16 } as const
const OPEN_FLAGS_ALL = 31

type HandleRequest = Extract<FileRequest, { handle: number }>
type PathRequest = Exclude<FileRequest, HandleRequest>

/** Encodes a question. It fits one frame when its texts and bytes do. */
export function encodeFileRequest(request: FileRequest): Uint8Array<ArrayBuffer> {
  const to = new MessageWriter().u8(OPERATION[request.operation])
  return 'handle' in request ? encodeHandleRequest(to, request) : encodePathRequest(to, request)
}

function encodeHandleRequest(to: MessageWriter, request: HandleRequest): Uint8Array<ArrayBuffer> {
  to.u32(request.handle)
  switch (request.operation) {
    case 'close':
    case 'sync':
    case 'statHandle':
      return to.end()
    case 'read':
      return to.size(request.offset).u32(request.length).end()
    case 'write':
      return to.size(request.offset).rest(request.bytes)
    case 'append':
      return to.rest(request.bytes)
    case 'truncate':
    case 'extend':
      return to.size(request.size).end()
    case 'setHandleTimes':
      return to.times(request.times).end()
  }
}

function encodePathRequest(to: MessageWriter, request: PathRequest): Uint8Array<ArrayBuffer> {
  switch (request.operation) {
    case 'stat':
      return to.flag(request.isFollowing).rest(request.path)
    case 'list':
      return to.u32(request.from).rest(request.path)
    case 'open':
      return to.u8(request.flags).rest(request.path)
    case 'setTimes':
      return to.flag(request.isFollowing).times(request.times).rest(request.path)
    case 'makeFolder':
    case 'remove':
    case 'removeFolder':
    case 'readLink':
      return to.rest(request.path)
    case 'rename':
    case 'joinLink':
      return to.text(request.from).rest(request.path)
    case 'makeLink':
      return to.text(request.target).rest(request.path)
  }
}

/**
 * Reads a question. Bytes are a view.
 *
 * @throws FileMessageError
 */
export function decodeFileRequest(bytes: Uint8Array): FileRequest {
  const from = new MessageReader(bytes)
  const operation = OPERATION_OF_NUMBER.get(from.u8())
  if (operation === undefined) throw new FileMessageError('expected a known operation')
  return isHandleOperation(operation)
    ? from.whole(decodeHandleRequest(from, operation))
    : decodePathRequest(from, operation)
}

const HANDLE_OPERATIONS: ReadonlySet<Operation> = new Set<HandleRequest['operation']>([
  'append',
  'close',
  'extend',
  'read',
  'setHandleTimes',
  'statHandle',
  'sync',
  'truncate',
  'write'
])

function isHandleOperation(operation: Operation): operation is HandleRequest['operation'] {
  return HANDLE_OPERATIONS.has(operation)
}

function decodeHandleRequest(from: MessageReader, operation: HandleRequest['operation']): HandleRequest {
  const handle = from.u32()
  switch (operation) {
    case 'close':
    case 'sync':
    case 'statHandle':
      return { operation, handle }
    case 'read':
      return { operation, handle, offset: from.size(), length: from.u32() }
    case 'write':
      return { operation, handle, offset: from.size(), bytes: from.rest() }
    case 'append':
      return { operation, handle, bytes: from.rest() }
    case 'truncate':
    case 'extend':
      return { operation, handle, size: from.size() }
    case 'setHandleTimes':
      return { operation, handle, times: from.times() }
  }
}

function decodePathRequest(from: MessageReader, operation: PathRequest['operation']): PathRequest {
  switch (operation) {
    case 'stat':
      return { operation, isFollowing: from.flag(), path: from.restText() }
    case 'list':
      return { operation, from: from.u32(), path: from.restText() }
    case 'open':
      return { operation, flags: from.bits(OPEN_FLAGS_ALL), path: from.restText() }
    case 'setTimes':
      return { operation, isFollowing: from.flag(), times: from.times(), path: from.restText() }
    case 'makeFolder':
    case 'remove':
    case 'removeFolder':
    case 'readLink':
      return { operation, path: from.restText() }
    case 'rename':
    case 'joinLink':
      return { operation, from: from.text(), path: from.restText() }
    case 'makeLink':
      return { operation, target: from.text(), path: from.restText() }
  }
}
