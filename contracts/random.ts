/** Where our code gets randomness from, so that a simulator can seed it. */
export interface Random {
  /** `length` fresh bytes; cryptographically strong in production. */
  bytes(length: number): Uint8Array<ArrayBuffer>
  /** A uniform number in [0, 1), for jitter and choice, never for secrets. */
  unit(): number
}
