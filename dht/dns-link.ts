import { CID } from 'multiformats/cid'
import { errorCode, orAborted } from '#contracts'
import type { Clock } from '#contracts'
import type { Did } from '#did'
import { startDeadline } from './deadline.ts'
import { DhtError } from './errors.ts'
import {
  DNS_NAME_CHARS_MAX,
  DNSLINK_CHARS_MAX,
  DNSLINK_DEPTH_MAX,
  DNSLINK_RECORDS_MAX,
  DNSLINK_TIMEOUT_MS
} from './name-constants.ts'
import { parseName } from './name-record.ts'

/** Reads the TXT records of a domain, each as the pieces it is sent in. Fails with the codes of `node:dns`. */
export type ResolveTxt = (domain: string) => Promise<readonly (readonly string[])[]>

/** Where a domain leads. */
export interface DnsLink {
  /** A content, or the name of a key. */
  readonly target: { readonly cid: CID } | { readonly name: Did }
  /** What follows the target in the link, without the slash at its beginning; empty for none. */
  readonly path: string
  /** The domains that were asked, in order. */
  readonly domains: readonly string[]
}

/** Domains that point to content by a TXT record. */
export interface DnsLinks {
  /**
   * Where a domain leads, through other domains if need be.
   *
   * @throws {@link DhtError} `ERR_DNSLINK_NOT_FOUND`, `ERR_DNSLINK_INVALID`, `ERR_DNS_UNREACHABLE`, `ERR_DHT_TIMEOUT`, or
   * the reason of `signal`
   */
  resolve(domain: string, options: { readonly signal: AbortSignal }): Promise<DnsLink>
}

/** Codes of `node:dns` that say that there is no such record. */
const ABSENT = new Set(['ENOTFOUND', 'ENODATA'])

const LINK = /^dnslink=\/(ipfs|ipns)\/([^/]+)(?:\/(.*))?$/

const DOMAIN = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.?$/i

/** Whether a text looks like a domain and not like a key's name. */
export function isDomain(text: string): boolean {
  return text.length <= DNS_NAME_CHARS_MAX && DOMAIN.test(text)
}

/** DNSLink over a resolver of the domain name system. @see https://dnslink.dev */
export function createDnsLinks({
  resolveTxt,
  clock
}: {
  readonly resolveTxt: ResolveTxt
  readonly clock: Clock
}): DnsLinks {
  return {
    resolve: async (domain, { signal }) => {
      using limit = startDeadline(clock, DNSLINK_TIMEOUT_MS, signal)
      const domains: string[] = []
      const paths: string[] = []
      for (let next = domain.toLowerCase().replace(/\.$/, ''); ;) {
        checkStep(domains, next)
        domains.push(next)
        const link = await readLink(resolveTxt, next, limit.signal)
        if (link.path !== '') paths.unshift(link.path)
        if ('domain' in link) next = link.domain
        else return { target: link.target, path: paths.join('/'), domains }
      }
    }
  }
}

function checkStep(domains: readonly string[], next: string): void {
  if (!isDomain(next)) {
    throw new DhtError(
      'ERR_DNSLINK_INVALID',
      `expected a domain such as example.org, got ${next.slice(0, 80)}`
    )
  }
  if (domains.includes(next)) {
    throw new DhtError(
      'ERR_DNSLINK_INVALID',
      `expected ${domains[0] ?? ''} to lead somewhere, it leads in circles`
    )
  }
  if (domains.length >= DNSLINK_DEPTH_MAX) {
    const message = `expected at most ${DNSLINK_DEPTH_MAX} domains on the way from ${domains[0] ?? ''}`
    throw new DhtError('ERR_DNSLINK_INVALID', message)
  }
}

type Link = { readonly path: string } & (Pick<DnsLink, 'target'> | { readonly domain: string })

/** The link of `_dnslink.DOMAIN`, or of the domain itself when that has none. */
async function readLink(resolveTxt: ResolveTxt, domain: string, signal: AbortSignal): Promise<Link> {
  for (const name of [`_dnslink.${domain}`, domain]) {
    const records = await readTxt(resolveTxt, name, signal)
    // the first of several, in an order that does not change from one answer to the next
    const [text] = records.filter((record) => record.startsWith('dnslink=')).toSorted()
    if (text !== undefined) return parseLink(text, domain)
  }
  throw new DhtError(
    'ERR_DNSLINK_NOT_FOUND',
    `expected a TXT record dnslink=/ipfs/… of ${domain}, it has none`
  )
}

async function readTxt(resolveTxt: ResolveTxt, name: string, signal: AbortSignal): Promise<string[]> {
  try {
    const records = await orAborted(resolveTxt(name), signal)
    return records.slice(0, DNSLINK_RECORDS_MAX).map((pieces) => pieces.join(''))
  } catch (cause) {
    signal.throwIfAborted()
    if (ABSENT.has(errorCode(cause) ?? '')) return []
    throw new DhtError('ERR_DNS_UNREACHABLE', `expected an answer about ${name} of the domain name system`, {
      cause
    })
  }
}

function parseLink(text: string, domain: string): Link {
  const [, kind, first = '', path = ''] = text.length <= DNSLINK_CHARS_MAX ? (LINK.exec(text) ?? []) : []
  try {
    if (kind === 'ipfs') return { target: { cid: CID.parse(first) }, path }
    if (kind === 'ipns')
      return isDomain(first)
        ? { domain: first.toLowerCase(), path }
        : { target: { name: parseName(first) }, path }
  } catch (cause) {
    throw invalidLink(domain, text, cause)
  }
  throw invalidLink(domain, text)
}

function invalidLink(domain: string, text: string, cause?: unknown): DhtError {
  const message = `expected dnslink=/ipfs/CID or dnslink=/ipns/NAME of ${domain}, got ${JSON.stringify(text.slice(0, 120))}`
  return new DhtError('ERR_DNSLINK_INVALID', message, { cause })
}
