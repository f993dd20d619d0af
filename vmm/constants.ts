/** Version of the channel between a host and a guest. */
export const VM_CHANNEL_VERSION = 1
/** The same with start messages that are not the last of their machine. */
export const VM_CHANNEL_REHEARSING_VERSION = 2
/** The same with guests that mount their image before their start message. */
export const VM_CHANNEL_MOUNTING_VERSION = 3
/** Most payload bytes of one frame of a machine's channel, both ways. */
export const VM_FRAME_BYTES_MAX = 65_536
/** Bytes of one stream that its sender may be ahead of its receiver, from the start and at any time. */
export const VM_STREAM_WINDOW_BYTES = 262_144
/** Bytes on their way to a guest that it has not taken; all that its streams allow is less, so one that leaves more is ended. */
export const VM_WAITING_BYTES_MAX = 1_048_576
/** Bytes of arguments, environment and folder of a guest's program together. */
export const VM_PROGRAM_BYTES_MAX = 65_000
/** Arguments and variables of a guest's program together. */
export const VM_PROGRAM_STRINGS_MAX = 512
/** Fresh random bytes that a guest is given before its program starts. */
export const VM_SEED_BYTES = 64

/** Least memory of a machine: below it the kernel does not start. */
export const VM_MEMORY_MIB_MIN = 96
/** Most memory of a machine. */
export const VM_MEMORY_MIB_MAX = 16_384
/** Most processors of a machine. */
export const VM_CPUS_MAX = 16
/** Most disks of a machine. */
export const VM_DISKS_MAX = 4
/** Address space a monitor may have beside the memory of its machine. */
export const VM_MONITOR_MIB = 768
/** Mebibytes of translated code an emulator may keep; part of {@link VM_MONITOR_MIB}. */
export const VM_TRANSLATION_MIB = 64
/** Niceness of monitors and their machines: the node comes first, and a guest still starts in time on a busy machine. */
export const VM_MONITOR_NICENESS = 5
/** Descriptors a monitor may have open. */
export const VM_MONITOR_FILES_MAX = 64
/** Threads a monitor may have: its processors, those that read its disks (64 at most), and a few of its own. */
export const VM_MONITOR_THREADS_MAX = 128
/** Characters of a path a monitor is given. */
export const VM_PATH_CHARS_MAX = 1024

/** How long a guest may take to say that it is up. */
export const VM_START_MS_MAX = 30_000
/** How long each of its two rehearsals may take a guest: who asked for none of it has the processor back soon. */
export const VM_REHEARSAL_MS_MAX = 10_000
/** How long the guest of a probe may take: an unusable KVM crawls. */
export const VM_PROBE_MS_MAX = 3000
/** How long a monitor that was told to end may take before all of it is killed once more. */
export const VM_END_MS_MAX = 5000
/** The end of a guest's console that is kept. */
export const VM_CONSOLE_BYTES_MAX = 16_384

/** Most files and folders of a root image. */
export const VM_IMAGE_ENTRIES_MAX = 200_000
/** Most bytes of a root image. */
export const VM_IMAGE_BYTES_MAX = 8_589_934_592
/** Bytes of a name in a root image. */
export const VM_IMAGE_NAME_BYTES_MAX = 255
/** Bytes of a path or the target of a link in a root image. */
export const VM_IMAGE_PATH_BYTES_MAX = 4095

/** Packages of Debian that one root image may name. */
export const VM_DEBIAN_NAMES_MAX = 64
/** Packages of Debian in one root image, those included that others depend on. */
export const VM_DEBIAN_PACKAGES_MAX = 256
/** Bytes of all packages of Debian in one root image, as they are downloaded. */
export const VM_DEBIAN_BYTES_MAX = 268_435_456
/** Bytes of all packages of Debian in one root image, unpacked. */
export const VM_DEBIAN_UNPACKED_BYTES_MAX = 536_870_912
/** Bytes of downloaded packages of Debian that are kept for the next image; those that came first go first. */
export const VM_DEBIAN_CACHE_BYTES_MAX = 1_073_741_824
/** Bytes of a list of packages, and of what was found for it. */
export const VM_DEBIAN_LIST_BYTES_MAX = 131_072

/** Bytes of a guest's kernel, of its initial file system, and of what describes both. */
export const VM_GUEST_FILE_BYTES_MAX = 134_217_728

/** Templates of machines that are kept, beside those of images. */
export const VM_TEMPLATES_MAX = 4
/** Templates of machines with an image that are kept. */
export const VM_IMAGE_TEMPLATES_MAX = 2
/** Bytes that all templates of machines may take of the disk. */
export const VM_TEMPLATES_BYTES_MAX = 1_073_741_824
/** Bytes of a template beside its memory. */
export const VM_TEMPLATE_STATE_BYTES_MAX = 16_777_216
/** Processor time that a machine may use to become a template. */
export const VM_TEMPLATE_CPU_SECONDS = 60
/** Bytes of the file that a machine reads when it rehearses the start of a program. */
export const VM_REHEARSAL_BYTES = 262_144
/** How long a monitor may take to do what it is told. */
export const VM_CONTROL_MS_MAX = 10_000
/** Bytes of one message of a monitor. */
export const VM_CONTROL_BYTES_MAX = 65_536
/** Machines that wait for a program. */
export const VM_WARM_MAX = 3
/** Of those, such as can stand in for each other. */
export const VM_WARM_ALIKE_MAX = 2
/** Within so long of each other two machines must have been asked for that two of their kind wait from then on. */
export const VM_WARM_AGAIN_MS = 60_000
/** How long a machine waits for a program. */
export const VM_WARM_MS_MAX = 600_000
/** Monitors that wait, started on a template with nothing restored in them. */
export const VM_SPARE_MAX = 1
/** How long after the program of a machine runs a monitor is started for the next one. */
export const VM_SPARE_AFTER_MS = 300
/** Memory that must be free on the host, beside what a machine may take, for one or its monitor to wait. */
export const VM_WARM_FREE_MIB_MIN = 1024
