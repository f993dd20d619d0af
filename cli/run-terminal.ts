import type { CliContext, ControlClient } from './context.ts'

/** Ctrl-C, as it comes in raw mode. */
const INTERRUPT = 0x03
/** Ctrl-], which leaves a run to itself. */
const LEAVE = 0x1d
/** So many of them in a row end a run whose capsule took the keys for itself. */
const INTERRUPTS_MAX = 3
/** How long keys that were typed right before it may take to reach the capsule. */
const LEAVE_AFTER_KEYS_MS = 200
/** Leaves the other screen, and makes text and cursor as they were. */
const TERMINAL_RESTORED =
  '\u0018\u001b\\\u001b[!p\u001b[?1049l\u001b[0m\u001b[?25h\u001b[?2004l\u001b[?1000l\u001b[?1002l\u001b[?1006l'

/** The terminal of a run whose capsule may draw on it. Disposing it gives it back as it was; again, nothing happens. */
export interface RunTerminal extends AsyncDisposable {
  /** The run and who is at its terminal have these numbers: from now on it is told of the size. */
  started(run: number, viewer: number): void
  /** The capsule wants keys, or lines. */
  setRaw(isRaw: boolean): void
  /** Lines for a question, until disposed; then as the capsule wants it, which is told to draw again. */
  forQuestion(): Disposable
  /** Looks at keys as they are typed and returns those for the capsule; interrupts when the user insists, and leaves the run at Ctrl-]. */
  typed(bytes: Uint8Array): Uint8Array
}

/** The size of the terminal that is written to; that of a usual one where it does not say. */
export function terminalSize({ stdout }: Pick<CliContext, 'stdout'>): { columns: number; rows: number } {
  return { columns: stdout.columns || 80, rows: stdout.rows || 24 }
}

/**
 * The terminal of a run.
 *
 * @param interrupt - called when its user insists that it ends
 */
export function createRunTerminal(
  context: Pick<CliContext, 'setRawMode' | 'onResize' | 'stdinIsTerminal' | 'stdout' | 'clock'>,
  client: Pick<ControlClient, 'call'>,
  interrupt: () => void
): RunTerminal {
  let visitor: { readonly run: number; readonly viewer: number } | undefined
  let isRaw = false
  let wasRaw = false
  let isAsking = false
  let interrupts = 0
  const tellSize = (): void => {
    if (visitor === undefined) return
    void client.call('capsule.resize', { ...visitor, ...terminalSize(context) }).catch(() => undefined)
  }
  const leave = (): void => {
    if (visitor !== undefined) void client.call('capsule.detach', visitor).catch(() => undefined)
  }
  const resizing = context.onResize(tellSize)
  return {
    started: (run, viewer) => (visitor = { run, viewer }),
    setRaw: (wanted) => {
      isRaw = wanted
      wasRaw ||= wanted
      // A capsule does not take the keys while its user answers a question.
      if (!isAsking) context.setRawMode(wanted)
    },
    forQuestion: () => {
      isAsking = true
      context.setRawMode(false)
      return {
        [Symbol.dispose]: () => {
          isAsking = false
          context.setRawMode(isRaw)
          tellSize()
        }
      }
    },
    typed: (bytes) => {
      // In what a pipe brings they are bytes as any other.
      if (!context.stdinIsTerminal) return bytes
      const leftAt = visitor === undefined ? -1 : bytes.indexOf(LEAVE)
      const keys = leftAt === -1 ? bytes : bytes.subarray(0, leftAt)
      for (const byte of keys) {
        interrupts = isRaw && byte === INTERRUPT ? interrupts + 1 : 0
        if (interrupts >= INTERRUPTS_MAX) interrupt()
      }
      // A capsule that reads takes the keys before; one that does not keeps nobody.
      if (leftAt !== -1) context.clock.after(LEAVE_AFTER_KEYS_MS, leave)
      return keys
    },
    [Symbol.asyncDispose]: async () => {
      resizing[Symbol.dispose]()
      if (!wasRaw) return
      wasRaw = false
      context.setRawMode(false)
      await context.stdout.write(TERMINAL_RESTORED)
    }
  }
}
