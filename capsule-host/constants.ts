/** Bytes of a manifest. */
export const MANIFEST_BYTES_MAX: number = 64 * 1024
/** The manifest's place in a package. */
export const MANIFEST_PATH = 'capsule.json'
/** Version of the manifest format; unknown keys are refused, so every new key needs a new one. */
export const MANIFEST_VERSION = 1
/** Characters of a capsule's name. */
export const NAME_LENGTH_MAX = 64
/** Characters of a version. */
export const VERSION_LENGTH_MAX = 64
/** Characters of a description. */
export const DESCRIPTION_LENGTH_MAX = 280
/** Capabilities one manifest may list, and characters of one. */
export const CAPABILITIES_MAX = 64
export const CAPABILITY_LENGTH_MAX = 256
/** Characters of a path inside a package, and folders deep it may lie. */
export const PACKAGE_PATH_LENGTH_MAX = 255
export const PACKAGE_DEPTH_MAX = 16
/** Files of one package, bytes of one file and of all. */
export const PACKAGE_FILES_MAX = 4096
export const PACKAGE_FILE_BYTES_MAX: number = 64 * 1024 * 1024
export const PACKAGE_BYTES_MAX: number = 256 * 1024 * 1024

/** Bytes of a signed capsule block. */
export const SIGNED_CAPSULE_BYTES_MAX = 4096

/** Bytes of a WebAssembly module. */
export const MODULE_BYTES_MAX: number = 32 * 1024 * 1024
/** Types, imports, functions and exports one module may declare (the engine's own limits, or less). */
export const MODULE_TYPES_MAX = 100_000
export const MODULE_IMPORTS_MAX = 1000
export const MODULE_FUNCTIONS_MAX = 1_000_000
export const MODULE_EXPORTS_MAX = 100_000
/** Parameters and results of one function type together. */
export const MODULE_TYPE_VALUES_MAX = 1000
/** Tables of one module, and elements of one table. */
export const MODULE_TABLES_MAX = 8
export const TABLE_ELEMENTS_MAX = 65_536
/** Bytes of one WebAssembly page. */
export const PAGE_BYTES = 65_536

/** Arguments one run may pass, and bytes of all of them. */
export const ARGUMENTS_MAX = 256
export const ARGUMENTS_BYTES_MAX: number = 32 * 1024
/** How long the sandboxed process may take to say it is up. */
export const PROCESS_START_MS_MAX = 30_000
/** How long an ended process may take to be gone before its sandbox is killed from outside too. */
export const PROCESS_END_MS_MAX = 2000
/** How long the probe of the sandbox may take. */
export const PROBE_MS_MAX = 20_000
/** Bytes kept of what the process itself (not the capsule) says on standard error. */
export const PROCESS_LOG_BYTES_MAX = 8192
/** Bytes a second of output that are taken from a capsule before it is held back. */
export const OUTPUT_BYTES_PER_SECOND_MAX: number = 64 * 1024 * 1024
/** Requests a second on the runtime channel before the capsule is held back. */
export const CHANNEL_REQUESTS_PER_SECOND_MAX = 1000
/** Bytes of answers that may wait for a capsule that does not read its channel. */
export const CHANNEL_REPLY_BYTES_MAX: number = 512 * 1024

/** Room the process needs beside the capsule's memory before it runs at all (RLIMIT_DATA). */
export const PROCESS_DATA_BYTES: number = 768 * 1024 * 1024
/** Threads and open files of the process. */
export const PROCESS_THREADS_MAX = 64
export const PROCESS_FILES_MAX = 64
/** MiB of the process's JavaScript heap. */
export const PROCESS_HEAP_MIB_MAX = 64
/** CPU seconds the process itself may use before the capsule runs. */
export const PROCESS_CPU_SECONDS = 2

/** How long a build may take. */
export const BUILD_MS_MAX = 120_000
