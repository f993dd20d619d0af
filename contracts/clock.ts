/** Where our code gets time from, so that a simulator can replace it (milliseconds everywhere). */
export interface Clock {
  /** Wall-clock time, milliseconds since the Unix epoch. */
  nowMs(): number
  /** A clock that never goes back, milliseconds since an arbitrary point. */
  monotonicMs(): number
  /**
   * Resolves after `durationMs`.
   *
   * @throws the reason of `signal` when it aborts first
   */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>
  /** Calls `task` once after `durationMs`; disposing the handle cancels it. The timer keeps no process alive. */
  after(durationMs: number, task: () => void): Disposable
  /** Calls `task` every `periodMs`; disposing the handle ends it. The timer keeps no process alive. */
  every(periodMs: number, task: () => void): Disposable
}
