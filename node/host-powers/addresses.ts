// eslint-disable-next-line @typescript-eslint/no-restricted-imports -- arithmetic on addresses, it opens nothing
import { BlockList, isIP } from 'node:net'

/**
 * Networks of version 4 that are not the public internet: the special ones of IANA's registry, multicast, what is reserved,
 * and the address at which a cloud of virtual machines answers for secrets although it looks public.
 *
 * @see https://www.iana.org/assignments/iana-ipv4-special-registry/iana-ipv4-special-registry.xhtml
 */
const REFUSED_V4: readonly (readonly [network: string, bits: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4]
]

/** Global unicast of version 6; whatever is outside, such as mapped addresses of version 4, is refused. */
const ALLOWED_V6 = ['2000::', 3] as const

/** Of that, protocols (Teredo among them), documentation, and 6to4, which hides an address of version 4. */
const REFUSED_V6: readonly (readonly [network: string, bits: number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20]
]

const refused = new BlockList()
for (const [network, bits] of REFUSED_V4) refused.addSubnet(network, bits, 'ipv4')
for (const [network, bits] of REFUSED_V6) refused.addSubnet(network, bits, 'ipv6')
const allowedV6 = new BlockList()
allowedV6.addSubnet(ALLOWED_V6[0], ALLOWED_V6[1], 'ipv6')

/** Whether an address is one of the public internet. What is no address, or has a zone, is not. */
export function isPublicAddress(address: string): boolean {
  if (address.includes('%')) return false
  const version = isIP(address)
  if (version === 4) return !refused.check(address, 'ipv4')
  if (version === 6) return allowedV6.check(address, 'ipv6') && !refused.check(address, 'ipv6')
  return false
}

/** The address that a host of a URL is, without brackets; `undefined` when it is a name. */
export function literalAddress(host: string): string | undefined {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host
  return isIP(bare) === 0 ? undefined : bare
}
