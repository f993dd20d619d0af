const EXPORTS = [0x07, 0x13, 0x02, 0x06, ...Buffer.from('memory'), 2, 0, 0x06, ...Buffer.from('_start'), 0, 0]

/** A WASI program that does nothing, so that a capsule needs no compiler: `(memory 1)` and an empty `_start`. */
export const EMPTY_MODULE: Uint8Array = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 0],
  ...EXPORTS,
  ...[0x0a, 4, 1, 2, 0, 0x0b]
])
