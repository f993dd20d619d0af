import type { CapsuleError } from '../errors.ts'

/** What a file service does to the capsule it belongs to. */
export interface FilePort {
  /** Answers the capsule's one open request, in one frame of at most 64 KiB. */
  send(answer: Uint8Array): void
  /** Ends the capsule. */
  fail(error: CapsuleError): void
}

/** The host's side of one capsule's file calls. */
export interface FileService {
  /**
   * Takes one request; a capsule's process has one open at a time. `request` is the service's own. While this has not
   * settled nothing else is taken from the process, so that requests cannot pile up.
   *
   * @throws CapsuleError to end the capsule; what the program should hear is an answer
   */
  push(request: Uint8Array): Promise<void> | void
  /** The capsule has ended: what is open is closed. Called once. */
  close(): Promise<void> | void
}

/** Opens the file service of one run, before the capsule's program starts. */
export type FileServiceFactory = (port: FilePort) => FileService
