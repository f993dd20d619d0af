/** Bytes of lines that may wait for a process that does not take them, before its capsule is ended. */
export const CHANNEL_WAITING_BYTES_MAX: number = 512 * 1024
/** What a message costs beside being one: a unit for every so many bytes, so that long lines are held back sooner. */
export const CHANNEL_COST_BYTES: number = 4 * 1024
/** Items a side may send before the other allowed more: what the host gives. */
export const STREAM_CREDIT = 4

/** How long a question may wait for an answer. */
export const QUESTION_MS_MAX = 120_000
/** After a question nobody answered, the same capsule's next question is refused for so long. */
export const QUESTION_PAUSE_MS = 30_000
/** Questions of all capsules that may wait at a time. */
export const QUESTIONS_MAX = 64
/** After so many denials in one session nothing more of it is asked. */
export const SESSION_DENIALS_MAX = 16
/** Bytes of capabilities that one answer lists. */
export const LISTED_BYTES_MAX: number = 60 * 1024

/** How long a provider may take to answer a call, its start included. */
export const PROVIDER_CALL_MS_MAX = 30_000
/** Calls that may wait for one provider. */
export const PROVIDER_QUEUE_MAX = 256
/** Calls of one capsule that may wait for, or be under way at, one provider. */
export const PROVIDER_CALLS_PER_CALLER_MAX = 16
/** How long a provider may take to open a stream. */
export const PROVIDER_OPEN_MS_MAX = 30_000
/** How long a provider may work on one request, whoever still waits for it. */
export const PROVIDER_ANSWER_MS_MAX = 30_000
/** Requests a provider may let pass that time before it is taken for stuck and ended. */
export const PROVIDER_LOST_MAX = 4
/** A provider without calls and streams for so long is ended. */
export const PROVIDER_IDLE_MS = 60_000
/** Between being asked to end and being ended. */
export const PROVIDER_STOP_MS = 2_000
/** A provider that ended by itself so often within the pause is left alone for its rest. */
export const PROVIDER_CRASHES_MAX = 3
/** See {@link PROVIDER_CRASHES_MAX}. */
export const PROVIDER_CRASH_PAUSE_MS = 30_000
/** Providers that may run at a time. */
export const PROVIDERS_MAX = 32
/** How long what was resolved is taken for granted, and how much of it. */
export const RESOLVED_MS = 60_000
/** See {@link RESOLVED_MS}. */
export const RESOLVED_MAX = 1024
/** How many providers may stand behind one another. */
export const PROVIDER_DEPTH_MAX = 8

/** Sessions that may be open at a time. */
export const SESSIONS_MAX = 1024
