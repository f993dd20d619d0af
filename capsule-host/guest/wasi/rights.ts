/** File types of WASI preview 1. */
export const FILE_TYPE = { characterDevice: 2, folder: 3, file: 4, socketStream: 6, link: 7 } as const

const RIGHT_BITS = {
  dataSync: 0,
  read: 1,
  seek: 2,
  setFlags: 3,
  sync: 4,
  tell: 5,
  write: 6,
  advise: 7,
  allocate: 8,
  createFolder: 9,
  createFile: 10,
  linkSource: 11,
  linkTarget: 12,
  open: 13,
  list: 14,
  readLink: 15,
  renameSource: 16,
  renameTarget: 17,
  pathStat: 18,
  pathSetSize: 19,
  pathSetTimes: 20,
  stat: 21,
  setSize: 22,
  setTimes: 23,
  makeLink: 24,
  removeFolder: 25,
  removeFile: 26,
  poll: 27
} as const

/**
 * Rights of WASI preview 1, as masks.
 *
 * @see https://github.com/WebAssembly/WASI/blob/wasi-0.1/preview1/docs.md#rights
 */
export const RIGHT: Readonly<Record<keyof typeof RIGHT_BITS, bigint>> = Object.fromEntries(
  Object.entries(RIGHT_BITS).map(([name, bit]) => [name, 1n << BigInt(bit)])
) as Record<keyof typeof RIGHT_BITS, bigint>

/** What can be done with an open file. */
export const FILE_RIGHTS: bigint =
  RIGHT.dataSync |
  RIGHT.read |
  RIGHT.seek |
  RIGHT.setFlags |
  RIGHT.sync |
  RIGHT.tell |
  RIGHT.write |
  RIGHT.advise |
  RIGHT.allocate |
  RIGHT.stat |
  RIGHT.setSize |
  RIGHT.setTimes |
  RIGHT.poll

/** What can be done with an open folder. */
export const FOLDER_RIGHTS: bigint =
  RIGHT.setFlags |
  RIGHT.sync |
  RIGHT.createFolder |
  RIGHT.createFile |
  RIGHT.linkSource |
  RIGHT.linkTarget |
  RIGHT.open |
  RIGHT.list |
  RIGHT.readLink |
  RIGHT.renameSource |
  RIGHT.renameTarget |
  RIGHT.pathStat |
  RIGHT.pathSetSize |
  RIGHT.pathSetTimes |
  RIGHT.stat |
  RIGHT.setTimes |
  RIGHT.makeLink |
  RIGHT.removeFolder |
  RIGHT.removeFile

/** What whoever opens something below a preopened folder may ask for. */
export const ALL_RIGHTS: bigint = FILE_RIGHTS | FOLDER_RIGHTS

/** Flags of a descriptor (`fdflags`). */
export const FLAG = { append: 1, dataSync: 2, nonblock: 4, readSync: 8, sync: 16 } as const
