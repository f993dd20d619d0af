/**
 * Who may import whom, as data: dependency-cruiser, knip, typedoc, the bundle and the docs check all read it.
 * A folder may also import itself and, where `packages` says so, packages of npm.
 *
 * @typedef {object} Layer
 * @property {string} folder
 * @property {string} holds one line for the docs
 * @property {readonly string[]} mayImport folders
 */

const everyPart = [
  'contracts',
  'did',
  'capability',
  'content',
  'dht',
  'rooms',
  'replication',
  'vmm',
  'capsule-host',
  'release',
  'bootstrap'
]

/** @type {readonly Layer[]} */
export const LAYERS = [
  {
    folder: 'contracts',
    holds: 'shared words: coded errors, clock, random, logger, wire schemas',
    mayImport: []
  },
  {
    folder: 'did',
    holds: 'keys, did:key, keystore, recovery words, signed envelopes',
    mayImport: ['contracts']
  },
  { folder: 'capability', holds: 'tokens: issue, attenuate, verify', mayImport: ['contracts', 'did'] },
  { folder: 'content', holds: 'CIDs, UnixFS, block store, exchange, pins', mayImport: ['contracts', 'did'] },
  { folder: 'dht', holds: 'the libp2p host, Kademlia, names, rendezvous', mayImport: ['contracts', 'did'] },
  { folder: 'rooms', holds: 'room protocol, order, history', mayImport: ['contracts', 'did'] },
  { folder: 'replication', holds: 'who keeps what', mayImport: ['contracts', 'did'] },
  { folder: 'vmm', holds: 'the microVM substrate', mayImport: ['contracts'] },
  {
    folder: 'capsule-host',
    holds: 'manifest and package format, WASM substrate, broker, lifecycle',
    mayImport: ['contracts', 'did', 'capability']
  },
  {
    folder: 'release',
    holds: 'publish, install, update, roll back',
    mayImport: ['contracts', 'did', 'content']
  },
  {
    folder: 'bootstrap',
    holds: 'the seed server and how a node finds its first peers',
    mayImport: ['contracts', 'did', 'dht']
  },
  { folder: 'capsules/chat', holds: 'the chat program: pure logic and screen', mayImport: ['rooms'] },
  {
    folder: 'node',
    holds: 'composition root, daemon, control socket',
    mayImport: [...everyPart, 'capsules/chat']
  },
  {
    folder: 'cli',
    holds: 'commands: parse, call the node, present',
    mayImport: ['contracts', 'node', 'capsules/chat']
  },
  { folder: 'sim', holds: 'virtual clock, network and disk; scenarios', mayImport: [...everyPart, 'node'] }
]
