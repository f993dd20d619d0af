import { inspect } from './inspect.ts'

type Print = (...values: unknown[]) => void

/** `console` over the standard streams: `log`, `info` and `debug` to output, `warn`, `error` and `trace` to errors. */
export function createConsole(
  writeLine: (descriptor: number, line: string) => void
): Readonly<Record<'log' | 'info' | 'debug' | 'warn' | 'error' | 'trace' | 'assert', Print>> {
  const print =
    (descriptor: number): Print =>
    (...values) =>
      writeLine(descriptor, values.map(inspect).join(' '))
  const [output, errors] = [print(1), print(2)]
  return {
    log: output,
    info: output,
    debug: output,
    warn: errors,
    error: errors,
    trace: (...values) => errors(...values, new Error('trace').stack),
    assert: (isTrue, ...values) => {
      if (isTrue !== true) errors('assertion failed', ...values)
    }
  }
}
