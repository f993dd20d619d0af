import { RESOURCE_BYTES_MAX, RESOURCE_SEGMENT_BYTES_MAX, RESOURCE_SEGMENTS_MAX } from './constants.ts'
import { CapabilityError } from './errors.ts'

const SCHEME = /^(localhost|elastos|https?):\/\//
// Control, format (bidirectional overrides, zero width), line and paragraph separators, lone surrogates; and what a
// file system, a shell or a URL could read as something else than a character of a name.
const UNSAFE_IN_A_SEGMENT = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\\%*]/u
// RFC 3986 §3.3, without what has a second spelling or could be read as a pattern.
const URL_SEGMENT = /^(?:[A-Za-z0-9._~!$&'()+,;=:@-]|%[0-9A-F]{2})+$/
const UNRESERVED = /[A-Za-z0-9._~-]/
const HOST_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const HOST_CHARS_MAX = 253
const DEFAULT_PORT: Readonly<Record<string, string>> = { http: '80', https: '443' }

/**
 * The normal form of one resource: `localhost://notes/a.txt`, `elastos://did/did:key:z6Mk…`, `https://host:8443/a`.
 * Text is brought to Unicode form NFC, a host to lower case, the port a scheme has anyway and the slash at the end of
 * a URL are left out. `localhost://` alone is the root of the subject's files.
 *
 * @throws CapabilityError `ERR_RESOURCE_INVALID` for another scheme, `.` and `..`, empty segments, control and format
 * characters, backslashes, `*`, percent signs (in a URL: escapes that have a plainer spelling, or hide a separator),
 * queries, and what is too long
 */
export function parseResource(text: string): string {
  return normalise(text)
}

/**
 * The normal form of a resource pattern: one resource, or with `/*` at its end that resource and everything below it.
 * `localhost://*` is all of the subject's files, `https://*` every web server.
 *
 * @throws CapabilityError `ERR_RESOURCE_INVALID` as {@link parseResource}
 */
export function parseResourcePattern(text: string): string {
  if (!text.endsWith('/*')) return normalise(text)
  const scheme = SCHEME.exec(text)?.[0]
  if (scheme !== undefined && text.length === scheme.length + 1) return text
  const base = text.slice(0, -2)
  if (base.endsWith('/')) throw invalid('no empty segment', text)
  return `${normalise(base)}/*`
}

/** Whether the pattern allows all that `resource`, itself a resource or a pattern, names. Both must have been parsed. */
export function resourceCovers(pattern: string, resource: string): boolean {
  if (pattern === resource) return true
  if (!pattern.endsWith('/*')) return false
  return asFolder(resource).startsWith(pattern.slice(0, -1))
}

/** With a slash at its end, so that a prefix ends at a segment: `localhost://a/*` covers `…/a`, never `…/ab`. */
function asFolder(resource: string): string {
  if (resource.endsWith('/*')) return resource.slice(0, -1)
  return resource.endsWith('/') ? resource : `${resource}/`
}

function normalise(text: string): string {
  if (text.length > RESOURCE_BYTES_MAX) throw invalid(`at most ${RESOURCE_BYTES_MAX} bytes`, text)
  const [prefix, scheme] = SCHEME.exec(text) ?? []
  if (prefix === undefined || scheme === undefined) {
    throw invalid('localhost://…, elastos://…, https://… or http://…', text)
  }
  const rest = text.slice(prefix.length)
  const normal = scheme.startsWith('http')
    ? normaliseUrl(scheme, rest, text)
    : normaliseName(scheme, rest, text)
  if (Buffer.byteLength(normal) > RESOURCE_BYTES_MAX)
    throw invalid(`at most ${RESOURCE_BYTES_MAX} bytes`, text)
  return normal
}

function normaliseName(scheme: string, rest: string, text: string): string {
  if (rest === '' && scheme === 'localhost') return text
  const segments = rest.normalize('NFC').split('/')
  assertSegments(segments, text)
  if (segments.some((segment) => UNSAFE_IN_A_SEGMENT.test(segment))) {
    throw invalid('segments without control characters, \\, % and *', text)
  }
  return `${scheme}://${segments.join('/')}`
}

function normaliseUrl(scheme: string, rest: string, text: string): string {
  const slash = rest.indexOf('/')
  const origin = normaliseHost(slash < 0 ? rest : rest.slice(0, slash), scheme, text)
  if (slash < 0 || slash === rest.length - 1) return `${scheme}://${origin}`
  const path = rest.slice(slash + 1).replace(/\/$/, '')
  const segments = path.split('/')
  assertSegments(segments, text)
  if (!segments.every((segment) => URL_SEGMENT.test(segment) && hasPlainEscapes(segment))) {
    throw invalid('a URL path whose escapes are needed and hide nothing, without a query', text)
  }
  return `${scheme}://${origin}/${segments.join('/')}`
}

function normaliseHost(text: string, scheme: string, whole: string): string {
  // ASCII only before the case is changed: the Kelvin sign would become a k.
  const [host = '', port, ...more] = /^[\x21-\x7e]+$/.test(text) ? text.toLowerCase().split(':') : []
  const isHost = host.length <= HOST_CHARS_MAX && host.split('.').every((label) => HOST_LABEL.test(label))
  const isPort = port === undefined || (/^[1-9][0-9]{0,4}$/.test(port) && Number(port) <= 65_535)
  if (!isHost || !isPort || more.length > 0) throw invalid('a host name and perhaps a port', whole)
  return port === undefined || port === DEFAULT_PORT[scheme] ? host : `${host}:${port}`
}

/** Whether every escape is of UTF-8, has no plainer spelling (RFC 3986 §2.3), and hides no separator or second escape. */
function hasPlainEscapes(segment: string): boolean {
  for (const [, hex = ''] of segment.matchAll(/%([0-9A-F]{2})/g)) {
    if (UNRESERVED.test(String.fromCharCode(Number.parseInt(hex, 16)))) return false
  }
  try {
    const decoded = decodeURIComponent(segment)
    return !decoded.includes('/') && !UNSAFE_IN_A_SEGMENT.test(decoded)
  } catch {
    return false
  }
}

function assertSegments(segments: readonly string[], text: string): void {
  if (segments.length > RESOURCE_SEGMENTS_MAX)
    throw invalid(`at most ${RESOURCE_SEGMENTS_MAX} segments`, text)
  for (const segment of segments) {
    if (segment === '' || segment === '.' || segment === '..')
      throw invalid('no empty, . or .. segment', text)
    if (Buffer.byteLength(segment) > RESOURCE_SEGMENT_BYTES_MAX) {
      throw invalid(`segments of at most ${RESOURCE_SEGMENT_BYTES_MAX} bytes`, text)
    }
  }
}

function invalid(expected: string, text: string): CapabilityError {
  const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
  return new CapabilityError('ERR_RESOURCE_INVALID', `expected a resource (${expected}), got ${shown}`)
}
