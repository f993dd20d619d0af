/** FIPS 180-4 §4.2.2: the first 32 bits of the fractions of the cube roots of the first 64 primes. */
const K: readonly number[] = fractions(64, 1 / 3)
/** FIPS 180-4 §5.3.3: the same of the square roots of the first 8 primes. */
const H: readonly number[] = fractions(8, 1 / 2)
const BLOCK_BYTES = 64

/**
 * SHA-256 of a few bytes, for where there is no Node API: a capsule compares keys with it now and then.
 *
 * @see FIPS 180-4 §6.2
 */
export function sha256(bytes: Uint8Array): Uint8Array {
  const state = Int32Array.from(H)
  const padded = pad(bytes)
  for (let at = 0; at < padded.length; at += BLOCK_BYTES) {
    compress(state, new DataView(padded.buffer, at, BLOCK_BYTES))
  }
  const digest = new DataView(new ArrayBuffer(32))
  state.forEach((word, index) => digest.setInt32(index * 4, word))
  return new Uint8Array(digest.buffer)
}

function pad(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / BLOCK_BYTES) * BLOCK_BYTES)
  padded.set(bytes)
  padded[bytes.length] = 0x80
  new DataView(padded.buffer).setUint32(padded.length - 4, bytes.length * 8)
  return padded
}

function compress(state: Int32Array, block: DataView): void {
  const w = new Int32Array(64)
  for (let t = 0; t < 64; t++) {
    if (t < 16) w[t] = block.getInt32(t * 4)
    else {
      const [early, late] = [at(w, t - 15), at(w, t - 2)]
      const s0 = turn(early, 7) ^ turn(early, 18) ^ (early >>> 3)
      const s1 = turn(late, 17) ^ turn(late, 19) ^ (late >>> 10)
      w[t] = at(w, t - 16) + s0 + at(w, t - 7) + s1
    }
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state
  for (let t = 0; t < 64; t++) {
    const first = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + at(K, t) + at(w, t)
    const second = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))
    ;[h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0]
  }
  ;[a, b, c, d, e, f, g, h].forEach((word, index) => (state[index] = at(state, index) + word))
}

function turn(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits))
}

function at(words: ArrayLike<number>, index: number): number {
  return words[index] ?? 0
}

function fractions(count: number, power: number): readonly number[] {
  const primes: number[] = []
  for (let n = 2; primes.length < count; n++) {
    if (primes.every((prime) => n % prime !== 0)) primes.push(n)
  }
  return primes.map((prime) => {
    const root = prime ** power
    return ((root - Math.floor(root)) * 2 ** 32) | 0
  })
}
