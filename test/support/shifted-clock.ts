/**
 * Preloaded (`--import`) into a process whose clock is to be wrong: shifts `Date` by `ELASTOS_TEST_SHIFT_MS`. Monotonic
 * time and timers stay as they are, as they do on a machine whose clock was set wrongly.
 */
const shiftMs = Number(process.env['ELASTOS_TEST_SHIFT_MS'] ?? 0)
const RealDate = Date

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: [], newTarget) =>
    Reflect.construct(target, args.length === 0 ? [RealDate.now() + shiftMs] : args, newTarget) as Date,
  apply: () => new RealDate(RealDate.now() + shiftMs).toString(),
  get: (target, name) => {
    if (name === 'now') return () => RealDate.now() + shiftMs
    return Reflect.get(target, name) as unknown
  }
})
