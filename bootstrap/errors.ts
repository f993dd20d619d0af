import { CodedError } from '#contracts'

/** Codes of {@link BootstrapError} about what is given to find first peers with. */
export type BootstrapValueErrorCode =
  // A --bootstrap value that is neither a multiaddr nor the URL of a seed.
  | 'ERR_BOOTSTRAP_VALUE'
  // A --bootstrap multiaddr that does not end with /p2p/ and a PeerId, so that nobody can tell who answers there.
  | 'ERR_BOOTSTRAP_PEER_ID'
  // The URL of a seed with a user, a path or a query, or of another scheme than http and https.
  | 'ERR_BOOTSTRAP_URL'
  // What follows # in the URL of a seed is no did:key.
  | 'ERR_BOOTSTRAP_PIN'
  // More --bootstrap values than a node uses.
  | 'ERR_BOOTSTRAP_TOO_MANY'

/** Codes of {@link BootstrapError} about a seed that is asked. */
export type SeedErrorCode =
  // Nothing answers at the URL of a seed in time.
  | 'ERR_SEED_UNREACHABLE'
  // Something answers at the URL of a seed, but with no bootstrap record: an error, a redirect, too many bytes.
  | 'ERR_SEED_ANSWER'
  // The record of a pinned seed is signed by another key.
  | 'ERR_SEED_SIGNER'
  // A seed that was met before now signs with another key.
  | 'ERR_SEED_SIGNER_CHANGED'
  // A seed that was never met and is not pinned was not confirmed.
  | 'ERR_SEED_UNCONFIRMED'
  // The remembered seeds cannot be read; nothing is taken for known.
  | 'ERR_KNOWN_SEEDS_CORRUPT'
  // More seeds than are remembered.
  | 'ERR_KNOWN_SEEDS_FULL'

/** Codes of {@link BootstrapError} about a bootstrap record. */
export type RecordErrorCode =
  // Bytes that are no bootstrap record, or one whose signature does not verify.
  | 'ERR_RECORD_INVALID'
  // The record of a seed of another network.
  | 'ERR_RECORD_NETWORK'
  // A bootstrap record that is too old; this device's clock may be ahead.
  | 'ERR_RECORD_EXPIRED'
  // A bootstrap record from the future; this device's clock may be behind.
  | 'ERR_RECORD_EARLY'

/** Codes of {@link BootstrapError} about being a seed. */
export type SeedServerErrorCode =
  // A seed that only this device could reach; --dev allows it for trying things out.
  | 'ERR_SEED_REACH_LOCAL'
  // The address for the seed's HTTP endpoint or metrics is taken or not this machine's.
  | 'ERR_SEED_LISTEN'
  // A metric that cannot be.
  | 'ERR_METRIC_INVALID'

/** Codes of {@link BootstrapError} about the deny list. */
export type DenyErrorCode =
  // The deny list cannot be read; nothing starts without it.
  | 'ERR_DENY_LIST_CORRUPT'
  // What should be denied is neither a CID nor a did.
  | 'ERR_DENY_VALUE'
  // More entries than a deny list holds.
  | 'ERR_DENY_LIST_FULL'

/** Every code a {@link BootstrapError} can carry. */
export type BootstrapErrorCode =
  BootstrapValueErrorCode | SeedErrorCode | RecordErrorCode | SeedServerErrorCode | DenyErrorCode

/** The error of this folder: what was expected of a seed, its record, a first peer or the deny list, and what came. */
export class BootstrapError extends CodedError<BootstrapErrorCode> {}
