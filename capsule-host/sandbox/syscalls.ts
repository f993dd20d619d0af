/** A processor the filter knows. */
export type SandboxArch = 'x86_64' | 'aarch64'

/** What the filter needs to know of a processor. */
export interface SyscallTable {
  /** `AUDIT_ARCH_*` of `linux/audit.h`: what the kernel reports for a call made in this convention. */
  readonly auditArch: number
  /** Calls at or above this are in another convention (x32); `undefined` where there is none. */
  readonly foreignFrom: number | undefined
  readonly clone: number
  readonly clone3: number
  readonly ioctl: number
  /** Refused whatever their arguments. */
  readonly refused: readonly number[]
}

/** Calls from here on are newer than this table; they answer `ENOSYS`, which libraries know how to take. */
export const UNKNOWN_SYSCALLS_FROM = 457

/** Where a processor does not have a call. */
const NONE = -1

/**
 * System calls that a capsule's process is refused, with their numbers on x86_64 and aarch64 from the kernel's own
 * headers (`asm/unistd_64.h`, `asm-generic/unistd.h`). Such a process computes and talks over pipes that are already
 * open; it needs none of these.
 */
const REFUSED: Readonly<Record<string, readonly [x86_64: number, aarch64: number]>> = {
  // The network, and passing descriptors over a socket.
  socket: [41, 198],
  socketpair: [53, 199],
  connect: [42, 203],
  bind: [49, 200],
  listen: [50, 201],
  accept: [43, 202],
  accept4: [288, 242],
  sendto: [44, 206],
  recvfrom: [45, 207],
  sendmsg: [46, 211],
  recvmsg: [47, 212],
  sendmmsg: [307, 269],
  recvmmsg: [299, 243],
  // Other processes.
  fork: [57, NONE],
  vfork: [58, NONE],
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  kcmp: [312, 272],
  process_madvise: [440, 440],
  pidfd_open: [434, 434],
  pidfd_getfd: [438, 438],
  pidfd_send_signal: [424, 424],
  // Namespaces and mounts.
  unshare: [272, 97],
  setns: [308, 268],
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  name_to_handle_at: [303, 264],
  open_by_handle_at: [304, 265],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  fanotify_init: [300, 262],
  fanotify_mark: [301, 263],
  mknod: [133, NONE],
  mknodat: [259, 33],
  // The machine.
  swapon: [167, 224],
  swapoff: [168, 225],
  reboot: [169, 142],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  acct: [163, 89],
  syslog: [103, 116],
  vhangup: [153, 58],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  create_module: [174, NONE],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  clock_adjtime: [305, 266],
  adjtimex: [159, 171],
  iopl: [172, NONE],
  ioperm: [173, NONE],
  modify_ldt: [154, NONE],
  uselib: [134, NONE],
  ustat: [136, NONE],
  sysfs: [139, NONE],
  _sysctl: [156, NONE],
  nfsservctl: [180, 42],
  lookup_dcookie: [212, 18],
  personality: [135, 92],
  // Large parts of the kernel that are often broken.
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  seccomp: [317, 277],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  io_setup: [206, 0],
  io_submit: [209, 2],
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  vmsplice: [278, 75],
  mbind: [237, 235],
  set_mempolicy: [238, 237],
  migrate_pages: [256, 238],
  move_pages: [279, 239],
  // Programs without a file.
  memfd_create: [319, 279],
  memfd_secret: [447, 447],
  execveat: [322, 281],
  // Shared memory and queues of System V and POSIX.
  shmget: [29, 194],
  shmat: [30, 196],
  shmctl: [31, 195],
  msgget: [68, 186],
  msgsnd: [69, 189],
  msgrcv: [70, 188],
  msgctl: [71, 187],
  semget: [64, 190],
  semop: [65, 193],
  semtimedop: [220, 192],
  semctl: [66, 191],
  mq_open: [240, 180],
  mq_unlink: [241, 181],
  // Other identities.
  setuid: [105, 146],
  setgid: [106, 144],
  setreuid: [113, 145],
  setregid: [114, 143],
  setresuid: [117, 147],
  setresgid: [119, 149],
  setgroups: [116, 159],
  setfsuid: [122, 151],
  setfsgid: [123, 152],
  capset: [126, 91]
}

/** The table of each processor. */
export const SYSCALL_TABLES: Readonly<Record<SandboxArch, SyscallTable>> = {
  x86_64: {
    auditArch: 0xc000_003e,
    foreignFrom: 0x4000_0000,
    clone: 56,
    clone3: 435,
    ioctl: 16,
    refused: refusedNumbers(0)
  },
  aarch64: {
    auditArch: 0xc000_00b7,
    foreignFrom: undefined,
    clone: 220,
    clone3: 435,
    ioctl: 29,
    refused: refusedNumbers(1)
  }
}

function refusedNumbers(column: 0 | 1): number[] {
  return Object.values(REFUSED)
    .map((numbers) => numbers[column])
    .filter((number) => number !== NONE)
}
