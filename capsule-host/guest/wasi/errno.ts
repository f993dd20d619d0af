/**
 * The errors of WASI preview 1 that this layer answers with.
 *
 * @see https://github.com/WebAssembly/WASI/blob/wasi-0.1/preview1/docs.md#errno
 */
export const ERRNO = {
  success: 0,
  acces: 2,
  again: 6,
  badf: 8,
  busy: 10,
  dquot: 19,
  exist: 20,
  fault: 21,
  fbig: 22,
  ilseq: 25,
  inval: 28,
  io: 29,
  isdir: 31,
  loop: 32,
  mfile: 33,
  nametoolong: 37,
  noent: 44,
  nospc: 51,
  notdir: 54,
  notempty: 55,
  notsock: 57,
  notsup: 58,
  rofs: 69,
  spipe: 70,
  notcapable: 76
} as const

/** An error number of WASI preview 1. */
export type Errno = (typeof ERRNO)[keyof typeof ERRNO]

/** Thrown inside a call to answer the program with an error number. */
export class WasiError extends Error {
  readonly errno: Errno

  constructor(errno: Errno) {
    super(`wasi errno ${errno}`)
    this.errno = errno
  }
}

/** Thrown by `proc_exit` to unwind the program. */
export class ProcessExit extends Error {
  readonly exitCode: number

  constructor(exitCode: number) {
    super(`exit ${exitCode}`)
    this.exitCode = exitCode
  }
}
