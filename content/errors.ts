import { CodedError } from '#contracts'

/** Codes of {@link ContentError}; a caller branches on these. */
export type ContentErrorCode =
  /** Text that should be a CID is none. */
  | 'ERR_CID_INVALID'
  /** A CID whose hash function, digest length or codec this node does not handle. */
  | 'ERR_CID_UNSUPPORTED'
  /** A block longer than `BLOCK_BYTES_MAX`. */
  | 'ERR_BLOCK_TOO_LARGE'
  /** Bytes from a peer or a caller that do not hash to the CID they came under. */
  | 'ERR_BLOCK_MISMATCH'
  /** A block of our own disk does not hash to its name; it was removed. */
  | 'ERR_BLOCK_CORRUPT'
  /** The disk has no room; everything stored before is intact. */
  | 'ERR_DISK_FULL'
  /** The block store cannot be read or written (permissions, a failing disk). */
  | 'ERR_STORE_IO'
  /** The folder holds blocks in a layout this version does not know. */
  | 'ERR_STORE_VERSION'
  /** The content part has been stopped. */
  | 'ERR_CONTENT_CLOSED'
  /** A garbage collection runs already. */
  | 'ERR_CONTENT_BUSY'
  /** The CID is on the deny list. */
  | 'ERR_CONTENT_DENIED'
  /** Providers were asked and none of them has, or serves us, the block. */
  | 'ERR_CONTENT_NOT_FOUND'
  /** Nobody is known to provide the block. */
  | 'ERR_CONTENT_NO_PROVIDERS'
  /** Content routing is off, and no connected peer has the block. */
  | 'ERR_ROUTING_OFF'
  /** A bitswap message that breaks the protocol or its limits. */
  | 'ERR_BITSWAP_MESSAGE'
  /** A bitswap message could not be sent: the stream is gone, or its queue is full. */
  | 'ERR_BITSWAP_SEND'
  /** More bytes, wants or fetches at a time than bitswap's limits allow. */
  | 'ERR_BITSWAP_BUSY'
  /** More sends to one peer wait for their turn than the limits of the flow allow. */
  | 'ERR_FLOW_BUSY'
  /** The peer took nothing while others waited, or is gone. */
  | 'ERR_FLOW_ENDED'
  /** A frame of a DAG stream that breaks the protocol or its limits. */
  | 'ERR_DAG_STREAM_FRAME'
  /** Every peer that was asked for a block sent something else. */
  | 'ERR_CONTENT_WRONG_BLOCK'
  /** Somebody provides it, and none of them can be reached. */
  | 'ERR_PROVIDER_UNREACHABLE'
  /** Blocks came, then none for `stallTimeoutMs`. */
  | 'ERR_CONTENT_STALLED'
  /** More bytes, entries, links or levels than the limit of this call. */
  | 'ERR_CONTENT_TOO_LARGE'
  /** A block that should be UnixFS or DAG-CBOR is not, or contradicts itself. */
  | 'ERR_DAG_MALFORMED'
  /** What was sealed does not open with this key, or this is no key. */
  | 'ERR_SEALED_KEY'
  /** What should be sealed content is none, is cut off, or contradicts itself. */
  | 'ERR_SEALED_INVALID'
  /** A file that should be a CAR is none, is cut off, or contradicts itself. */
  | 'ERR_CAR_INVALID'
  /** No entry of that name in the folder. */
  | 'ERR_ENTRY_NOT_FOUND'
  /** A file was expected and something else is there. */
  | 'ERR_NOT_A_FILE'
  /** A folder was expected and something else is there. */
  | 'ERR_NOT_A_FOLDER'
  /** A path that is not absolute, or not a path. */
  | 'ERR_PATH_INVALID'
  /** Nothing is at that path of the local disk. */
  | 'ERR_PATH_NOT_FOUND'
  /** A path that leaves the folder it must stay in. */
  | 'ERR_PATH_OUTSIDE'
  /** A name or link inside fetched content that must not be written to a disk. */
  | 'ERR_PATH_UNSAFE'
  /** A device, socket or pipe. */
  | 'ERR_PATH_SPECIAL'
  /** A file was exchanged for another while it was being read. */
  | 'ERR_PATH_CHANGED'
  /** The operating system refuses to read or write that path. */
  | 'ERR_PATH_DENIED'
  /** Something is at the output path already, and `force` was not given. */
  | 'ERR_OUTPUT_EXISTS'
  /** Another get writes to that output now. */
  | 'ERR_OUTPUT_BUSY'
  /** The CID is not pinned. */
  | 'ERR_PIN_NOT_FOUND'
  /** As many pins as `PINS_MAX` exist, or a pin has too many readers. */
  | 'ERR_PIN_LIMIT'

/** What went wrong with content, for a person in `message` and for code in `code`. */
export class ContentError extends CodedError<ContentErrorCode> {}
