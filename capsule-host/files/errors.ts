import { CodedError } from '#contracts'

/** Why a call on files was refused or failed. */
export type FileErrorCode =
  /** Nothing is there, or a folder on the way is not. */
  | 'ERR_FILE_NOT_FOUND'
  /** Something is there already. */
  | 'ERR_FILE_EXISTS'
  /** It is a folder, a file was expected. */
  | 'ERR_FILE_IS_FOLDER'
  /** It is no folder, or what is on the way is none. */
  | 'ERR_FILE_NOT_FOLDER'
  /** The folder holds something. */
  | 'ERR_FILE_NOT_EMPTY'
  /** Its owner may not keep more bytes or files. */
  | 'ERR_FILE_QUOTA'
  /** The disk is full. */
  | 'ERR_FILE_NO_SPACE'
  /** One file cannot have that many bytes. */
  | 'ERR_FILE_TOO_LARGE'
  /** It may not be done. */
  | 'ERR_FILE_DENIED'
  /** These files can only be read. */
  | 'ERR_FILE_READ_ONLY'
  /** The path is not of the one form that is taken. */
  | 'ERR_FILE_PATH'
  /** The path, or a name in it, is too long. */
  | 'ERR_FILE_NAME_TOO_LONG'
  /** The call makes no sense there, such as to move a folder into itself. */
  | 'ERR_FILE_INVALID'
  /** It is in use, such as the root. */
  | 'ERR_FILE_BUSY'
  /** A link is in the way, or links lead in a circle. */
  | 'ERR_FILE_LOOP'
  /** Too many files are open. */
  | 'ERR_FILE_TOO_MANY_OPEN'
  /** These files cannot do that, such as links. */
  | 'ERR_FILE_UNSUPPORTED'
  /** The disk failed. */
  | 'ERR_FILE_IO'
  /** What is on the disk is not what was written: it is never handed on. */
  | 'ERR_FILE_CORRUPT'

/** The error of every {@link CapsuleFiles}. Only its code reaches a capsule. */
export class FileError extends CodedError<FileErrorCode> {}
