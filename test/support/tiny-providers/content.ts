import type { ContentCommands } from '#providers'
import { capsule, ProviderError } from '#sdk'

/** Another `content@1`: what was added, in the memory of the capsule. It holds no power of the host. */
const kept = new Map<string, Uint8Array>()

/** SHA-256 (FIPS 180-4), with its constants computed from the first primes. */
function sha256(message: Uint8Array): Uint8Array {
  const primes: number[] = []
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n)
  const fraction = (root: number): number => Math.floor((root - Math.floor(root)) * 2 ** 32) | 0
  const k = primes.map((prime) => fraction(Math.cbrt(prime)))
  const state = primes.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)))
  const padded = new Uint8Array(Math.ceil((message.length + 9) / 64) * 64)
  padded.set(message)
  padded[message.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 4, message.length * 8)
  const rotate = (value: number, by: number): number => (value >>> by) | (value << (32 - by))
  for (let block = 0; block < padded.length; block += 64) {
    const w = Array.from({ length: 16 }, (_, at) => view.getInt32(block + at * 4))
    const at = (index: number): number => w[index] ?? 0
    for (let i = 16; i < 64; i++) {
      const low = rotate(at(i - 15), 7) ^ rotate(at(i - 15), 18) ^ (at(i - 15) >>> 3)
      const high = rotate(at(i - 2), 17) ^ rotate(at(i - 2), 19) ^ (at(i - 2) >>> 10)
      w[i] = (at(i - 16) + low + at(i - 7) + high) | 0
    }
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state
    for (let i = 0; i < 64; i++) {
      const one =
        h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + (k[i] ?? 0) + at(i)
      const two = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))
      ;[h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0]
    }
    ;[a, b, c, d, e, f, g, h].forEach((value, index) => (state[index] = ((state[index] ?? 0) + value) | 0))
  }
  const digest = new DataView(new ArrayBuffer(32))
  state.forEach((word, index) => digest.setInt32(index * 4, word))
  return new Uint8Array(digest.buffer)
}

/** CIDv1, raw, SHA-256, in base32. */
function cidOf(bytes: Uint8Array): string {
  let bits = ''
  for (const byte of [0x01, 0x55, 0x12, 0x20, ...sha256(bytes)]) bits += byte.toString(2).padStart(8, '0')
  const groups = bits.match(/.{1,5}/g) ?? []
  return (
    'b' +
    groups.map((group) => 'abcdefghijklmnopqrstuvwxyz234567'[parseInt(group.padEnd(5, '0'), 2)]).join('')
  )
}

function find(cid: string, path: string | undefined): Uint8Array {
  const bytes = kept.get(cid)
  if (bytes === undefined) throw new ProviderError('ERR_CONTENT_NOT_FOUND')
  if (path !== undefined) throw new ProviderError('ERR_PATH_NOT_FOUND')
  return bytes
}

function add({ data }: { readonly data: string }): { cid: string } {
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0))
  const cid = cidOf(bytes)
  kept.set(cid, bytes)
  return { cid }
}

await capsule.provide<ContentCommands>('content', {
  add,
  publish: add,
  get: ({ cid, path, offset = 0, length = 32_768 }) => {
    const bytes = find(cid, path)
    const piece = bytes.slice(offset, offset + length)
    return { data: btoa(String.fromCharCode(...piece)), isEnd: offset + piece.length >= bytes.length }
  },
  stat: ({ cid, path }) => ({ type: 'file', bytes: find(cid, path).length })
})
