import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import { DhtError } from './errors.ts'

/**
 * How far a node lets itself be reached: `local` is this machine, `lan` adds the private addresses of the local
 * network and finding peers there, `public` adds everything.
 */
export type Reach = 'local' | 'lan' | 'public'

/**
 * What kind of place an address is: `name` is a DNS name, `relay` is a peer behind a relay, `any` all addresses of
 * this machine, `link` a link-local or otherwise special address, `other` an address of an injected transport.
 */
export type AddressKind = 'loopback' | 'private' | 'public' | 'name' | 'relay' | 'any' | 'link' | 'other'

/** One address of a network interface of this machine. */
export interface InterfaceAddress {
  /** The IP address in its text form. */
  readonly address: string
  /** 4 or 6. */
  readonly family: 4 | 6
}

/** What {@link planListen} decides from, beside the reach. */
export interface ListenPlanInit {
  /** What the user asked for; when given nothing is added to it. */
  readonly listen?: readonly string[]
  /** The TCP port of the default addresses. */
  readonly port: number
  /** Listen for WebSockets on this port too. */
  readonly webSocketPort?: number
  /** The addresses of this machine. */
  readonly interfaces: readonly InterfaceAddress[]
}

/**
 * Parses a multiaddr.
 *
 * @throws {@link DhtError} `ERR_ADDRESS_INVALID`
 */
export function parseAddress(text: string): Multiaddr {
  try {
    return multiaddr(text)
  } catch (cause) {
    const message = `expected a multiaddr such as /ip4/127.0.0.1/tcp/4697, got ${JSON.stringify(text.slice(0, 120))}`
    throw new DhtError('ERR_ADDRESS_INVALID', message, { cause })
  }
}

/** The kind of an address, from its text alone: no name is resolved. */
export function addressKind(address: Multiaddr): AddressKind {
  const components = address.getComponents()
  if (components.some(({ name }) => name === 'p2p-circuit')) return 'relay'
  const host = components.find(({ name }) => name !== 'ip6zone')
  if (host?.value === undefined) return 'other'
  if (host.name === 'ip4') return ip4Kind(host.value)
  if (host.name === 'ip6') return ip6Kind(host.value)
  return host.name.startsWith('dns') ? 'name' : 'other'
}

/** The special ranges of IPv4 (RFC 6890), what is in none of them is public. */
const IP4_RANGES: readonly (readonly [network: string, prefixBits: number, kind: AddressKind])[] = [
  ['0.0.0.0', 32, 'any'],
  ['0.0.0.0', 8, 'link'],
  ['127.0.0.0', 8, 'loopback'],
  ['10.0.0.0', 8, 'private'],
  ['172.16.0.0', 12, 'private'],
  ['192.168.0.0', 16, 'private'],
  // shared by the customers of a carrier (RFC 6598): reachable inside that network only
  ['100.64.0.0', 10, 'private'],
  ['169.254.0.0', 16, 'link'],
  ['192.0.0.0', 24, 'link'],
  // documentation and benchmarking
  ['192.0.2.0', 24, 'link'],
  ['198.18.0.0', 15, 'link'],
  ['198.51.100.0', 24, 'link'],
  ['203.0.113.0', 24, 'link'],
  // multicast, reserved and broadcast
  ['224.0.0.0', 3, 'link']
]

function ip4Kind(address: string): AddressKind {
  const value = ip4Value(address)
  const range = IP4_RANGES.find(([network, bits]) => (value ^ ip4Value(network)) >>> (32 - bits) === 0)
  return range?.[2] ?? 'public'
}

function ip4Value(address: string): number {
  return address.split('.').reduce((value, part) => ((value << 8) | Number(part)) >>> 0, 0)
}

function ip6Kind(address: string): AddressKind {
  const text = address.toLowerCase()
  if (/^[0:]+$/.test(text)) return 'any'
  if (/^[0:]+:0*1$/.test(text)) return 'loopback'
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(text)?.[1]
  if (mapped !== undefined) return ip4Kind(mapped)
  const mappedHex = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(text)
  if (mappedHex !== null) return ip4Kind(ip4FromHex(mappedHex[1] ?? '0', mappedHex[2] ?? '0'))
  const first = Number.parseInt(text.split(':')[0] || '0', 16)
  if (first >= 0xfc00 && first < 0xfe00) return 'private'
  // only 2000::/3 is global unicast (RFC 4291), of which 2001:db8::/32 is for documentation
  if (first < 0x2000 || first > 0x3fff || /^2001:0?db8:/.test(text)) return 'link'
  return 'public'
}

function ip4FromHex(high: string, low: string): string {
  const [h, l] = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
  return [h >> 8, h & 255, l >> 8, l & 255].join('.')
}

/** Whether a node of this reach may tell others this address of its own. */
export function mayAnnounce(reach: Reach, address: Multiaddr): boolean {
  const kind = addressKind(address)
  if (kind === 'any' || kind === 'link') return false
  if (reach === 'local') return kind === 'loopback' || kind === 'other'
  if (reach === 'lan') return kind !== 'public'
  return kind !== 'loopback'
}

/**
 * Whether a node of this reach may keep and use this address of somebody else. Addresses that mean nothing beyond one
 * link are refused everywhere: following them would let a stranger point us at, say, a cloud's metadata service.
 */
export function mayDial(address: Multiaddr): boolean {
  const kind = addressKind(address)
  return kind !== 'any' && kind !== 'link'
}

/** Whether a node of this reach takes a connection that comes from this address. */
export function mayAccept(reach: Reach, remote: Multiaddr): boolean {
  const kind = addressKind(remote)
  if (reach === 'public' || kind === 'relay' || kind === 'other') return true
  return reach === 'local' ? kind === 'loopback' : kind !== 'public'
}

/**
 * Whether a peer with this address belongs in the routing table of a node of this reach: a public node must not
 * send the world to private addresses.
 */
export function mayRoute(reach: Reach, address: Multiaddr): boolean {
  const kind = addressKind(address)
  if (kind === 'any' || kind === 'link') return false
  return reach === 'public' ? kind !== 'loopback' && kind !== 'private' : true
}

/**
 * The multiaddrs to listen on.
 *
 * @throws {@link DhtError} `ERR_ADDRESS_INVALID`, or `ERR_ADDRESS_OUT_OF_REACH` for an address wider than the reach
 */
export function planListen(reach: Reach, init: ListenPlanInit): string[] {
  if (init.listen === undefined)
    return defaultHosts(reach, init.interfaces).flatMap((host) => ports(host, init))
  for (const text of init.listen) {
    const kind = addressKind(parseAddress(text))
    const wider =
      (reach === 'local' && (kind === 'any' || kind === 'private' || kind === 'public')) ||
      (reach === 'lan' && kind === 'public')
    if (!wider) continue
    const flag = reach === 'local' && kind !== 'public' ? '--reach lan or --reach public' : '--reach public'
    const message = `expected an address within reach ${reach}, got ${text}: ${flag} allows it`
    throw new DhtError('ERR_ADDRESS_OUT_OF_REACH', message)
  }
  return [...init.listen]
}

function defaultHosts(reach: Reach, interfaces: readonly InterfaceAddress[]): string[] {
  if (reach === 'local') return ['/ip4/127.0.0.1']
  if (reach === 'public') return ['/ip4/0.0.0.0', '/ip6/::']
  const hosts = interfaces.map(({ address, family }) => `/ip${String(family)}/${address}`)
  const inside = hosts.filter((host) => addressKind(multiaddr(host)) === 'private')
  return ['/ip4/127.0.0.1', ...new Set(inside)]
}

function ports(host: string, { port, webSocketPort }: ListenPlanInit): string[] {
  const tcp = `${host}/tcp/${String(port)}`
  return webSocketPort === undefined ? [tcp] : [tcp, `${host}/tcp/${String(webSocketPort)}/ws`]
}

/** What a node knows about why nobody is reachable. */
export interface ReachFacts {
  readonly reach: Reach
  /** How many seeds it was given. */
  readonly seedCount: number
  /** How many of them answered. */
  readonly seedsReached: number
  /** How many peers it remembers from earlier runs. */
  readonly knownPeerCount: number
  /** Whether it looks for peers on the local network. */
  readonly mdns: boolean
  /** Whether it also looks in the public IPFS DHT. */
  readonly discoverIpfs: boolean
}

/** One thing to try when nobody is reachable: a flag and, in a few words, what it does. */
export interface ReachAdvice {
  readonly flag: string
  readonly reason: string
}

/** Which flags could help a node that reaches nobody, most useful first. */
export function adviseReach(facts: ReachFacts): ReachAdvice[] {
  const advice: ReachAdvice[] = []
  if (facts.seedCount === 0) {
    advice.push({ flag: '--bootstrap ADDRESS', reason: 'no seed or peer to start from was given' })
  } else if (facts.seedsReached === 0) {
    advice.push({ flag: '--bootstrap ADDRESS', reason: `none of ${String(facts.seedCount)} seeds answered` })
  }
  if (!facts.mdns) {
    advice.push({ flag: '--reach lan', reason: 'peers on the local network are not looked for' })
  }
  if (!facts.discoverIpfs) {
    advice.push({ flag: '--discover ipfs', reason: 'peers are not looked for in the public IPFS DHT' })
  }
  if (facts.reach !== 'public') {
    const listening = facts.reach === 'local' ? 'this machine' : 'the local network'
    advice.push({ flag: '--reach public', reason: `only ${listening} can connect to this node` })
  }
  return advice
}
