import type { CliContext, EventHandler } from './context.ts'
import { createProgressLine, formatBytes, jsonLine, printNotice } from './output.ts'

/** Shows the events of a transfer while it runs. */
export interface ProgressView extends AsyncDisposable {
  readonly onEvent: EventHandler
  /** Removes the progress line; what is printed after it stands alone. */
  end(): Promise<void>
}

/** On a terminal a line that is written over; with `--json` an object a line; else nothing but notices. */
export function showProgress(context: CliContext): ProgressView {
  const line = createProgressLine(context.stderr, () => context.clock.monotonicMs())
  const end = async (): Promise<void> => {
    await line.end()
  }
  return {
    onEvent: async (event) => {
      if (event.kind === 'notice') await printNotice(context, event.text)
      if (event.kind !== 'progress') return
      if (context.json) {
        await context.stdout.write(jsonLine({ event: 'progress', ...event }))
        return
      }
      const total = event.totalBytes === undefined ? '' : ` of ${formatBytes(event.totalBytes)}`
      line.update(`${event.phase} ${formatBytes(event.bytes)}${total}`)
    },
    end,
    [Symbol.asyncDispose]: end
  }
}
