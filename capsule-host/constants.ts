const KIB = 1024
const MIB = 1024 * KIB

/** Bytes of a manifest. */
export const MANIFEST_BYTES_MAX: number = 64 * KIB
/** The manifest's place in a package. */
export const MANIFEST_PATH = 'capsule.json'
/** The place of the list of Debian's packages that a root image is made of. */
export const PACKAGE_LIST_PATH = 'debian.json'
/** Version of the manifest format; unknown keys are refused, so every new key needs a new one. */
export const MANIFEST_VERSION = 2
/** Characters of a capsule's name. */
export const NAME_LENGTH_MAX = 64
/** Characters of a version. */
export const VERSION_LENGTH_MAX = 64
/** Characters of a description. */
export const DESCRIPTION_LENGTH_MAX = 280
/** Capabilities one manifest may list. */
export const CAPABILITIES_MAX = 64
/** Characters of a command, or of a pattern of commands. */
export const COMMAND_LENGTH_MAX = 128
/** Characters of a resource, or of a pattern of resources. */
export const RESOURCE_LENGTH_MAX = 512
/** Characters of the reason an author gives for a capability. */
export const REASON_LENGTH_MAX = 200
/** Contracts one manifest may require, and may provide. */
export const CONTRACTS_MAX = 32
/** Powers of the host one manifest may name. */
export const POWERS_MAX = 16
/** Characters of the name of a contract, with its version, or of a power. */
export const CONTRACT_LENGTH_MAX = 80
/** Characters of what names another capsule. */
export const CAPSULE_REFERENCE_LENGTH_MAX = 160
/** Characters of a path inside a package. */
export const PACKAGE_PATH_LENGTH_MAX = 255
/** Names a path inside a package may have. */
export const PACKAGE_DEPTH_MAX = 16
/** Files of one package. */
export const PACKAGE_FILES_MAX = 4096
/** Folders of a package that is read from a folder. */
export const PACKAGE_FOLDERS_MAX = 1024
/** Bytes of one file of a package. */
export const PACKAGE_FILE_BYTES_MAX: number = 64 * MIB
/** Bytes of all files of a package. */
export const PACKAGE_BYTES_MAX: number = 256 * MIB

/** Bytes of a signed capsule block. */
export const SIGNED_CAPSULE_BYTES_MAX = 4096

/** Bytes of a WebAssembly module. */
export const MODULE_BYTES_MAX: number = 32 * MIB
/** Types one module may declare. */
export const MODULE_TYPES_MAX = 100_000
/** Imports one module may declare. */
export const MODULE_IMPORTS_MAX = 1000
/** Functions one module may define (the engine's own limit). */
export const MODULE_FUNCTIONS_MAX = 1_000_000
/** Exports one module may declare. */
export const MODULE_EXPORTS_MAX = 100_000
/** Parameters of one function type, and its results. */
export const MODULE_TYPE_VALUES_MAX = 1000
/** Bytes of one name in a module. */
export const MODULE_NAME_BYTES_MAX = 1024
/** Tables of one module. */
export const MODULE_TABLES_MAX = 8
/** Elements one table may grow to. */
export const TABLE_ELEMENTS_MAX = 65_536
/** Bytes of one page of memory (WebAssembly core specification). */
export const PAGE_BYTES = 65_536

/** Arguments of one run, the capsule's name included; together they must fit one frame of 64 KiB as JSON. */
export const ARGUMENTS_MAX = 256
/** How long the sandboxed process may take to say that it is up. */
export const PROCESS_START_MS_MAX = 30_000
/** How long an ended process may take to be gone before its sandbox is killed from outside too. */
export const PROCESS_END_MS_MAX = 2000
/** How long the probe of the sandbox may take. */
export const PROBE_MS_MAX = 20_000
/** Bytes kept of what the process itself (not the capsule) says on standard error. */
export const PROCESS_LOG_BYTES_MAX: number = 8 * KIB
/** Frames that are taken from a process in a second before it is held back. */
export const FRAMES_PER_SECOND_MAX = 50_000
/** How long a capsule may want to send more in a second than it may before it is ended. */
export const RATE_PATIENCE_MS = 60_000
/** Bytes that all capsules of a node together may hand over in a second before they are held back. */
export const SHARED_BYTES_PER_SECOND_MAX: number = 64 * MIB
/** And what is taken even when this process is late with all else it does. */
export const SHARED_BYTES_PER_SECOND_MIN: number = 2 * MIB
/** How often it is looked whether this process is late. */
export const SHARED_PROBE_MS = 50
/** How late a timer may come before this process counts as late. */
export const SHARED_LATE_MS_MAX = 15
/** Bytes that a frame counts beside its own: an empty one costs work too. */
export const SHARED_FRAME_BYTES: number = 2 * KIB
/** Bytes of answers that may wait for a capsule that does not read its channel. */
export const CHANNEL_REPLY_BYTES_MAX: number = 512 * KIB

/** Bytes of a recording that may wait for the disk before the capsule does. */
export const TRACE_WAITING_BYTES_MAX: number = MIB
/** Bytes that a piece of a recording counts beside its own while it waits. */
export const TRACE_PIECE_BYTES: number = 2 * KIB

/** Bytes of data a process may have beside the capsule's memory (RLIMIT_DATA); Node does not run with less. */
export const PROCESS_DATA_BYTES: number = 768 * MIB
/** Threads of a process, the helpers of the sandbox included (RLIMIT_NPROC). */
export const PROCESS_THREADS_MAX = 64
/** Open files of a process (RLIMIT_NOFILE). */
export const PROCESS_FILES_MAX = 64
/** MiB of a process's JavaScript heap. */
export const PROCESS_HEAP_MIB_MAX = 64
/** Processor seconds a process may use beside the capsule's own. */
export const PROCESS_CPU_SECONDS = 2
/**
 * Niceness of a capsule's process: many that wake at once together weigh little more than the node that answers them, and
 * one beside an idle node gets all of a processor.
 */
export const PROCESS_NICENESS = 15
/** Niceness of one that never waits for anybody; the others are then served before it. */
export const BUSY_NICENESS = 19
/** Share of its time a process must run or want to, to count as busy. Beside many others it may get to run but little. */
export const BUSY_SHARE_MIN = 0.9
/** Share of its time below which a busy process counts as busy no longer. */
export const BUSY_SHARE_END = 0.5
/** How long a process is watched before its share is judged. */
export const BUSY_CHECK_MS = 1000
/** Processors that are counted on when the next look at a capsule's processor time is planned. */
export const CPU_THREADS_EXPECTED = 2
/** How soon after one look at a capsule's processor time the next may come. */
export const CPU_CHECK_MS_MIN = 5
/** And when it used none between the last two looks. */
export const CPU_CHECK_AT_REST_MS_MIN = 100
/** How long after one look at a capsule's processor time the next must come. */
export const CPU_CHECK_MS_MAX = 2000

/** Processes that are kept ready for the next capsule. */
export const POOL_WARM_MAX = 1
/** How long after a capsule was started the next process is made ready. */
export const POOL_REFILL_DELAY_MS = 50
/** How long after a capsule was given a ready process the kernel is told of its processor time too. */
export const POOL_LIMIT_DELAY_MS = 1000
/** Processes that may fail to come up in a row before the pool waits for the next capsule to try again. */
export const POOL_FAILURES_MAX = 3

/** How long a build may take. */
export const BUILD_MS_MAX = 120_000
/** Lines kept of what a compiler says. */
export const BUILD_LINES_MAX = 60
/** MiB of a compiler's JavaScript heap. */
export const BUILD_HEAP_MIB_MAX = 1024
/** Bytes kept of what a short program prints, on each of its streams. */
export const PROGRAM_OUTPUT_BYTES_MAX: number = 64 * KIB

/** Version of the record of installed capsules. */
export const INSTALLED_RECORD_VERSION = 1
/** Capsules one device can have installed. */
export const INSTALLED_CAPSULES_MAX = 256
/** Versions of a lineage that are kept to go back to, the running one included. */
export const INSTALLED_VERSIONS_MAX = 5
/** Bytes of the record of installed capsules. */
export const INSTALLED_RECORD_BYTES_MAX: number = 4 * MIB
/** Characters of a lineage. */
export const LINEAGE_LENGTH_MAX = 256
/** Capsules that run at a time. */
export const RUNNING_CAPSULES_MAX = 256
/** Bytes of one file of a lineage's log; there are two. */
export const CAPSULE_LOG_BYTES_MAX: number = MIB
/** Characters of one line of a log. */
export const CAPSULE_LOG_LINE_LENGTH_MAX = 2000
/** Additions to logs that may wait for the disk. */
export const CAPSULE_LOG_WAITING_MAX = 512
/** Bytes of each file that are read to show the end of a log. */
export const CAPSULE_LOG_TAIL_BYTES_MAX: number = 512 * KIB

/** Questions of capsules that wait for a person at a time, and that were missed and are kept. */
export const PROMPT_QUESTIONS_MAX = 64
/** Of those that wait, with nobody watching: the shell holds few at a time, and must be free for whoever is there. */
export const UNWATCHED_QUESTIONS_MAX = 4
/** Things one question offers to pick from. */
export const PROMPT_CHOICES_MAX = 100
/** How long a question that nobody answered can still be answered for the next time. */
export const MISSED_QUESTION_MS: number = 24 * 60 * 60 * 1000
