/** The part of the control protocol about guests of microVMs. See docs/protocols/control.md. */

/** A guest of microVMs: a kernel and its first process. */
export interface GuestStatus {
  /** Of the signed guest; absent for one of the owner's own. */
  readonly cid?: string
  /** Of its files: the same wherever the same is built. */
  readonly root: string
  readonly publisher?: string
  readonly arch: string
  readonly version: string
  readonly bytes: number
}

/** Methods about guests of microVMs. */
export interface GuestControlMethods {
  'guest.publish': {
    params: { folder: string; first?: boolean }
    result: GuestStatus & { sequence: number; isAnnounced: boolean; line: string }
  }
  /** Has machines start this guest: a CID, a did, a petname or an absolute path. */
  'guest.use': { params: { target: string; deadlineMs?: number }; result: GuestStatus }
}
