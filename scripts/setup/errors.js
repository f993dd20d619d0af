/**
 * @typedef {'ERR_SETUP_NODE_TOO_OLD' | 'ERR_SETUP_NPM_MISSING' | 'ERR_SETUP_OFFLINE' | 'ERR_SETUP_DISK_FULL'
 *   | 'ERR_SETUP_NOT_WRITABLE' | 'ERR_SETUP_INSTALL_FAILED' | 'ERR_SETUP_PLATFORM' | 'ERR_SETUP_BUILD_FAILED'
 *   | 'ERR_SETUP_BUSY'} SetupErrorCode
 */

/** What exit code every refusal to set up has (EX_UNAVAILABLE of sysexits.h). */
export const SETUP_EXIT_CODE = 69

/** Setting up failed for a reason that a person can mend; `advice` says how. */
export class SetupError extends Error {
  /**
   * @param {SetupErrorCode} code
   * @param {string} message lower-case sentence: what was expected and what came
   * @param {string} advice what to do about it
   */
  constructor(code, message, advice) {
    super(message)
    this.name = 'SetupError'
    this.code = code
    this.advice = advice
  }
}

/**
 * Says on standard error what failed, and makes the process end with the right code.
 *
 * @param {unknown} thrown
 */
export function reportFailure(thrown) {
  if (thrown instanceof SetupError) {
    process.stderr.write(`elastos setup: ${thrown.message} (${thrown.code})\n  ${thrown.advice}\n`)
    process.exitCode = SETUP_EXIT_CODE
    return
  }
  process.stderr.write(`${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`)
  process.exitCode = 1
}
