/** The same bytes in pieces that begin at `cuts`, taken modulo the length; a piece is never empty. */
export function cutAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [...new Set([0, ...cuts.map((cut) => cut % Math.max(1, bytes.byteLength)), bytes.byteLength])]
  const sorted = at.toSorted((a, b) => a - b)
  return sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end))
}
