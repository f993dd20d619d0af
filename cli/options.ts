/** An option of a command, in commander's flag syntax. */
export interface OptionSpec {
  readonly flags: string
  readonly summary: string
  /** May be given more than once. */
  readonly isList?: boolean
  /** Its values, where they are few: what completion offers. */
  readonly choices?: readonly string[]
}

/** Options of every command. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { flags: '--data <folder>', summary: 'data folder (default: the platform’s)' },
  { flags: '--json', summary: 'machine-readable: one JSON object a line' },
  { flags: '--no-start', summary: 'refuse instead of starting a node' }
]

/** Prints one value alone, so that a shell can use it: `$(elastos node status --field bootstrapUrl)`. */
export const FIELD_OPTION: OptionSpec = {
  flags: '--field <name>',
  summary: 'print this one value of the --json output alone'
}

/** Options of whatever starts a node. */
export const NODE_OPTIONS: readonly OptionSpec[] = [
  {
    flags: '--reach <reach>',
    summary: 'how far to listen and dial: local (default), lan or public',
    choices: ['local', 'lan', 'public']
  },
  {
    flags: '--shell <mode>',
    summary: 'who decides what capsules may do: prompt (default) asks you, auto allows ALL (development)',
    choices: ['prompt', 'auto']
  },
  {
    flags: '--accept-older-files',
    summary: 'take files of capsules that are older than they were: you put them back'
  },
  { flags: '--listen <multiaddr>', summary: 'listen here instead of the default', isList: true },
  {
    flags: '--bootstrap <address>',
    summary: 'a first peer: a multiaddr, or http://host:port#did:key:…',
    isList: true
  },
  {
    flags: '--discover <where>',
    summary: "'ipfs' also meets peers through the public IPFS DHT; 'off' stops that",
    choices: ['ipfs', 'off']
  },
  {
    flags: '--ipfs [which]',
    summary: 'join the IPFS DHT as a client: wan (default) or lan',
    choices: ['wan', 'lan']
  },
  { flags: '--ipfs-bootstrap <multiaddr>', summary: 'a first peer of the IPFS DHT', isList: true },
  {
    flags: '--upload-max <bytes>',
    summary: 'content sent to peers a second at most, like 5MiB or 500KiB; off for no cap'
  },
  {
    flags: '--download-max <bytes>',
    summary: 'content received from peers a second at most, like 20MiB; off for no cap'
  },
  {
    flags: '--guest <target>',
    summary:
      'what microVMs start: the CID of a guest, or the did of who publishes it; fetched when first needed'
  },
  { flags: '--no-routing', summary: 'do not look for content in the DHT: only what is here can be had' },
  { flags: '--no-mdns', summary: 'do not look for peers by multicast (reach lan)' }
]
