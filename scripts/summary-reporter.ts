import { appendFileSync } from 'node:fs'
import Mocha from 'mocha'
import { createHandleWatch, type HandleWatch } from './open-handles.ts'

/** Lines of the report file that `scripts/test.js` reads: what ran, then what came of it. */
type ReportLine =
  | { event: 'test'; title: string }
  | { event: 'skip'; title: string; reason: string }
  | { event: 'end'; passed: number; failed: number; skipped: number }

/** How long a finished run may take to end by itself before what keeps it alive is named. */
const LINGER_MS = Number(process.env['ELASTOS_TEST_LINGER_MS'] ?? 20_000) / 4

/**
 * The usual tree of results, and a report on disk of them: when the process dies or hangs, the report still
 * says which test was running.
 */
class SummaryReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options)
    const { report } = options.reporterOptions as { report: string }
    const write = (line: ReportLine): void => appendFileSync(report, `${JSON.stringify(line)}\n`)
    const { EVENT_TEST_BEGIN, EVENT_TEST_PENDING, EVENT_SUITE_END, EVENT_RUN_END } = Mocha.Runner.constants
    const handles = createHandleWatch()
    runner.on(EVENT_SUITE_END, (suite) => {
      if (suite.parent?.root === true) handles.look(suite.title)
    })
    runner.on(EVENT_TEST_BEGIN, (test) => write({ event: 'test', title: test.fullTitle() }))
    runner.on(EVENT_TEST_PENDING, (test) =>
      write({ event: 'skip', title: test.fullTitle(), reason: reasonOf(test) })
    )
    runner.once(EVENT_RUN_END, () => {
      const { passes, failures, pending } = this.stats
      write({ event: 'end', passed: passes, failed: failures, skipped: pending })
      nameWhatLingers(handles)
    })
  }
}

// mocha loads a reporter with `require`, which takes this export for the module itself.
export { SummaryReporter as 'module.exports' }

/** `skipBecause` of `test/support/requirements.ts` leaves its reason on the test or on a suite around it. */
function reasonOf(test: Mocha.Test): string {
  let at: Mocha.Test | Mocha.Suite | undefined = test
  while (at !== undefined) {
    if ('skipReason' in at && typeof at.skipReason === 'string') return at.skipReason
    at = at.parent
  }
  return 'no reason given'
}

function nameWhatLingers(handles: HandleWatch): void {
  setTimeout(() => {
    const kinds = process.getActiveResourcesInfo().filter((kind) => !/^(TTYWrap|PipeWrap)$/.test(kind))
    process.stderr.write(`tests are done, the process is kept alive by: ${kinds.join(', ')}\n`)
    for (const line of handles.open()) process.stderr.write(`  ${line}\n`)
  }, LINGER_MS).unref()
}
