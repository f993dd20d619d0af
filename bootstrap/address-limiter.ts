import type { Clock } from '#contracts'
import type { AddressLimits } from './constants.ts'

/** Decides which new connections an address may open. */
export interface AddressLimiter {
  /**
   * Whether `address` may open one more connection; when it may, that is counted.
   *
   * @param address - an IP address, or a multiaddr that begins with one
   * @param open - the remote addresses of the connections open now, in either form
   */
  allow(address: string, open: Iterable<string>): boolean
}

interface Bucket {
  tokens: number
  filledAtMs: number
}

/**
 * Limits connections by address: so many at once, and a token bucket for how often. An IPv6 address counts as its
 * /64, which is what one customer gets. Loopback is this device itself and is not limited.
 */
export function createAddressLimiter(
  clock: Pick<Clock, 'monotonicMs'>,
  limits: AddressLimits
): AddressLimiter {
  const buckets = new Map<string, Bucket>()
  return {
    allow: (address, open) => {
      const group = addressGroup(address)
      if (group === undefined) return true
      let openCount = 0
      for (const other of open) {
        if (addressGroup(other) === group) openCount += 1
      }
      if (openCount >= limits.connectionsMax) return false
      return takeToken(buckets, group, { limits, nowMs: clock.monotonicMs() })
    }
  }
}

function takeToken(
  buckets: Map<string, Bucket>,
  group: string,
  { limits, nowMs }: { limits: AddressLimits; nowMs: number }
): boolean {
  const bucket = buckets.get(group) ?? { tokens: limits.burstMax, filledAtMs: nowMs }
  const gained = ((nowMs - bucket.filledAtMs) / 1000) * limits.perSecond
  bucket.tokens = Math.min(limits.burstMax, bucket.tokens + gained)
  bucket.filledAtMs = nowMs
  // A Map keeps the order of insertion: taking out and putting back keeps the one seen longest ago first.
  buckets.delete(group)
  buckets.set(group, bucket)
  if (buckets.size > limits.addressesMax) {
    const [oldest] = buckets.keys()
    if (oldest !== undefined) buckets.delete(oldest)
  }
  if (bucket.tokens < 1) return false
  bucket.tokens -= 1
  return true
}

/**
 * The part of an address that is limited as one: an IPv4 address, or the first 64 bits of an IPv6 address.
 * `undefined` for loopback, and for what is no IP address, such as an address in memory.
 */
export function addressGroup(address: string): string | undefined {
  const ip = ipOf(address)
  if (ip === undefined) return undefined
  if (/^\d+\.\d+\.\d+\.\d+$/.test(ip)) return ip.startsWith('127.') ? undefined : ip
  const words = ip6Words(ip)
  if (words === undefined) return undefined
  const [high = 0, low = 0] = words.slice(6)
  const isAllZero = words.slice(0, 5).every((word) => word === 0)
  // ::ffff:a.b.c.d is how a socket for both families names an IPv4 peer (RFC 4291 §2.5.5.2).
  if (isAllZero && words[5] === 0xffff) {
    return addressGroup([high >> 8, high & 255, low >> 8, low & 255].join('.'))
  }
  if (isAllZero && words[5] === 0 && high === 0 && low === 1) return undefined
  return `${words
    .slice(0, 4)
    .map((word) => word.toString(16))
    .join(':')}::/64`
}

function ipOf(address: string): string | undefined {
  if (!address.startsWith('/')) return address
  const parts = address.split('/')
  const at = parts[1] === 'ip6zone' ? 3 : 1
  return parts[at] === 'ip4' || parts[at] === 'ip6' ? parts[at + 1] : undefined
}

/** The eight 16-bit words of an IPv6 address (RFC 4291 §2.2); `undefined` for any other text. */
function ip6Words(text: string): number[] | undefined {
  const plain = text.replace(/%.*$/, '').replace(/\d+\.\d+\.\d+\.\d+$/, (ip4) => {
    const [a = 0, b = 0, c = 0, d = 0] = ip4.split('.').map(Number)
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
  })
  const halves = plain.split('::')
  if (halves.length > 2) return undefined
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')))
  const gap = halves.length === 2 ? 8 - head.length - tail.length : 0
  const words = [...head, ...Array<string>(Math.max(gap, 0)).fill('0'), ...tail]
  if (words.length !== 8 || !words.every((word) => /^[0-9a-f]{1,4}$/i.test(word))) return undefined
  return words.map((word) => Number.parseInt(word, 16))
}
