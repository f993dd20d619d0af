/**
 * The folders and who may import whom, as data: dependency-cruiser, typedoc, the bundle and the documents read
 * it. A folder may also import itself and packages of npm.
 *
 * @typedef {object} Layer
 * @property {string} folder
 * @property {string} holds one line for the documents
 * @property {readonly string[]} mayImport folders
 * @property {readonly string[]} [mayImportTypesOf] folders of which only types may be named
 */

const parts = [
  'contracts',
  'did',
  'capability',
  'content',
  'dht',
  'rooms',
  'replication',
  'vmm',
  'capsule-host',
  'bootstrap'
]

/** @type {readonly Layer[]} */
export const LAYERS = [
  {
    folder: 'contracts',
    holds:
      'coded errors, `Clock`, `Random`, `Logger`; the control protocol; the capsule channel; bounded JSON lines',
    mayImport: []
  },
  {
    folder: 'did',
    holds: 'Ed25519 keys, did:key, envelopes, recovery words, device certificates, keystore',
    mayImport: ['contracts']
  },
  {
    folder: 'capability',
    holds: 'capability tokens: issue, narrow, verify. Pure: no I/O, no clock of its own',
    mayImport: ['contracts', 'did']
  },
  {
    folder: 'content',
    holds: 'block store, what may be served, bitswap, UnixFS, pins',
    mayImport: ['contracts', 'did']
  },
  {
    folder: 'dht',
    holds: 'the libp2p host, Kademlia and its guards, pubsub, names, publisher index, the IPFS DHT',
    mayImport: ['contracts', 'did']
  },
  {
    folder: 'rooms',
    holds: 'room protocol: rendezvous, membership, signed messages; pure but for its seams',
    mayImport: ['contracts', 'did']
  },
  {
    folder: 'replication',
    holds: 'who keeps what: offers, goals, leases; placement, repair, quotas. Pure but for its seams',
    mayImport: ['contracts', 'did']
  },
  {
    folder: 'vmm',
    holds: 'microVMs: plans for each monitor, the jail, the channel to a guest, its kernel and root images',
    mayImport: ['contracts']
  },
  {
    folder: 'capsule-host',
    holds:
      'manifest, package, signature; WASI; sandboxed process; broker, grants, audit; templates and build',
    mayImport: ['contracts', 'did', 'capability']
  },
  {
    folder: 'bootstrap',
    holds: 'seed server, bootstrap record, known seeds, deny list',
    mayImport: ['contracts', 'did', 'dht']
  },
  {
    folder: 'sdk',
    holds: 'what a capsule written in TypeScript imports: the channel, streams, files; the globals around it',
    mayImport: ['contracts']
  },
  {
    folder: 'capsules/chat',
    holds: 'a first-party capsule: the chat’s logic and screen. No Node API',
    mayImport: ['sdk'],
    mayImportTypesOf: ['rooms']
  },
  {
    folder: 'capsules/shell',
    holds: 'a first-party capsule: decides what others may do. Pure policy',
    mayImport: ['sdk'],
    mayImportTypesOf: ['contracts']
  },
  {
    folder: 'capsules/localhost-provider',
    holds: 'a first-party capsule: serves files of a lineage to other capsules',
    mayImport: ['sdk'],
    mayImportTypesOf: ['contracts']
  },
  {
    folder: 'capsules/did-provider',
    holds: 'a first-party capsule: serves signatures and names to other capsules',
    mayImport: ['sdk'],
    mayImportTypesOf: ['contracts']
  },
  {
    folder: 'capsules/peer-provider',
    holds: 'a first-party capsule: serves rooms to other capsules',
    mayImport: ['sdk'],
    mayImportTypesOf: ['contracts']
  },
  {
    folder: 'capsules/content-provider',
    holds: 'a first-party capsule: serves content by CID to other capsules',
    mayImport: ['sdk'],
    mayImportTypesOf: ['contracts']
  },
  {
    folder: 'capsules/http-provider',
    holds: 'a first-party capsule: serves outbound requests to other capsules',
    mayImport: ['sdk'],
    mayImportTypesOf: ['contracts']
  },
  {
    folder: 'node',
    holds: 'composition root, control server: the one place that constructs parts',
    mayImport: [...parts, 'capsules/shell']
  },
  {
    folder: 'cli',
    holds: 'commands: parse, call the node, present',
    mayImport: ['contracts', 'did', 'capsule-host', 'vmm', 'capsules/chat', 'node'],
    // Its table of exit codes names every error code there is.
    mayImportTypesOf: ['capability', 'content', 'dht', 'rooms', 'replication', 'bootstrap', 'sim']
  },
  {
    folder: 'sim',
    holds: 'networks in virtual time: whole nodes, our parts, a model',
    mayImport: [...parts, 'node']
  }
]
