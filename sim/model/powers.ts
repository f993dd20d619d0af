/** Lets the event loop turn, so that a process that shall end does not first compute for minutes. */
export async function turnOfLoop(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve))
}

/** Real time, for telling a person how long it took. Milliseconds since an arbitrary point. */
export function realMs(): number {
  return performance.now()
}
