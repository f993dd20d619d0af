import { multiaddr } from '@multiformats/multiaddr'
import { didFromPeerId, parseDid, type Did } from '#did'
import { BOOTSTRAP_VALUE_CHARS_MAX, BOOTSTRAP_VALUES_MAX } from './constants.ts'
import { BootstrapError } from './errors.ts'

/** A seed to ask for its bootstrap record. */
export interface SeedTarget {
  /** Its origin, such as `http://seed.example:4480`, in the one spelling of the URL standard. */
  readonly url: string
  /** Who must have signed the record. */
  readonly pin?: Did
}

/** How a node finds its first peers. */
export interface BootstrapPlan {
  /** Peers to dial: multiaddrs that end with `/p2p/` and a PeerId. */
  readonly peers: readonly string[]
  /** Seeds to ask for their addresses. */
  readonly seeds: readonly SeedTarget[]
}

/**
 * Reads `--bootstrap` values: a multiaddr that ends with `/p2p/` and a PeerId, or the URL of a seed with the did of
 * its signer after `#`, if that is known. What is given twice counts once.
 *
 * @throws BootstrapError `ERR_BOOTSTRAP_VALUE`, `ERR_BOOTSTRAP_PEER_ID`, `ERR_BOOTSTRAP_URL`, `ERR_BOOTSTRAP_PIN`
 * or `ERR_BOOTSTRAP_TOO_MANY`
 */
export function planBootstrap(values: readonly string[]): BootstrapPlan {
  if (values.length > BOOTSTRAP_VALUES_MAX) {
    throw new BootstrapError(
      'ERR_BOOTSTRAP_TOO_MANY',
      `expected at most ${BOOTSTRAP_VALUES_MAX} bootstrap values, got ${values.length}`
    )
  }
  const peers = new Set<string>()
  const seeds = new Map<string, SeedTarget>()
  for (const value of values) {
    if (value.startsWith('/')) {
      peers.add(readPeer(value))
      continue
    }
    const seed = readSeed(value)
    const other = seeds.get(seed.url)
    if (other?.pin !== undefined && seed.pin !== undefined && other.pin !== seed.pin) {
      throw new BootstrapError('ERR_BOOTSTRAP_PIN', `expected one did for ${seed.url}, got two`)
    }
    if (other?.pin === undefined) seeds.set(seed.url, seed)
  }
  return { peers: [...peers], seeds: [...seeds.values()] }
}

/** A value as it may be shown: short, and without what a terminal would obey. */
function shown(value: string): string {
  const short = value.length > 120 ? `${value.slice(0, 120)}…` : value
  return JSON.stringify(short.replaceAll(/[^\x20-\x7e…]/g, '?'))
}

function readPeer(value: string): string {
  // The parser takes any character in a DNS name, such as one that a terminal would obey.
  if (value.length > BOOTSTRAP_VALUE_CHARS_MAX || !/^[!-~]+$/.test(value)) throw invalidValue(value)
  let components: ReturnType<ReturnType<typeof multiaddr>['getComponents']>
  try {
    components = multiaddr(value).getComponents()
  } catch (cause) {
    throw invalidValue(value, cause)
  }
  if (components.length === 0) throw invalidValue(value)
  const last = components.at(-1)
  try {
    if (components.length > 1 && last?.name === 'p2p') {
      didFromPeerId(last.value ?? '')
      return multiaddr(value).toString()
    }
  } catch (cause) {
    throw noPeerId(value, cause)
  }
  throw noPeerId(value)
}

function readSeed(value: string): SeedTarget {
  if (value.length > BOOTSTRAP_VALUE_CHARS_MAX || !/^[a-z][a-z0-9+.-]*:\/\//i.test(value))
    throw invalidValue(value)
  const [text, pin] = splitOnce(value, '#')
  const url = URL.parse(text)
  if (url === null) throw invalidValue(value)
  const isPlain = url.username === '' && url.password === '' && url.pathname === '/' && url.search === ''
  if (!['http:', 'https:'].includes(url.protocol) || !isPlain || text.includes('?')) {
    throw new BootstrapError(
      'ERR_BOOTSTRAP_URL',
      `expected the URL of a seed as http://HOST:PORT, with nothing after it but #did:key:…, got ${shown(value)}`
    )
  }
  return pin === undefined ? { url: url.origin } : { url: url.origin, pin: readPin(pin) }
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator)
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}

function readPin(text: string): Did {
  try {
    return parseDid(text)
  } catch (cause) {
    throw new BootstrapError(
      'ERR_BOOTSTRAP_PIN',
      `expected #did:key:… of the seed, got ${shown(`#${text}`)}`,
      { cause }
    )
  }
}

function invalidValue(value: string, cause?: unknown): BootstrapError {
  return new BootstrapError(
    'ERR_BOOTSTRAP_VALUE',
    'expected a multiaddr such as /ip4/192.0.2.1/tcp/4001/p2p/12D3Koo… or a seed such as ' +
      `http://seed.example:4480#did:key:…, got ${shown(value)}`,
    { cause }
  )
}

function noPeerId(value: string, cause?: unknown): BootstrapError {
  return new BootstrapError(
    'ERR_BOOTSTRAP_PEER_ID',
    `expected a multiaddr that ends with /p2p/ and the PeerId of an Ed25519 key, got ${shown(value)}`,
    { cause }
  )
}
