import { CID } from 'multiformats/cid'
import { openDenyList, type DenyList } from '#bootstrap'
import { createMemoryBlockStore, startContent } from '#content'
import type { Content, ContentComponents, FlowInit } from '#content'
import { createDnsLinks, createPublisherIndex, startHost, startRehearsalNetwork, type Host } from '#dht'
import type { KeyPair } from '#did'
import { openBase, rememberChoices, type NodeBase } from './base.ts'
import { startCapsuleParts } from './capsule-parts.ts'
import { startControl } from './control/start-control.ts'
import { dataPaths } from './data-folder.ts'
import { startDevices } from './devices/devices.ts'
import { openRevocations, type Revocations } from './devices/revocations.ts'
import { findFirstContact, type FirstContact } from './first-peers.ts'
import { realFolder, systemResolveTxt } from './powers.ts'
import { createSourceHints, type SourceHints } from './replicas/content.ts'
import { startReplicas } from './replicas/replicas.ts'
import { createNoPrivateRooms, startPrivateRoomService } from './private-rooms.ts'
import { startRoomService } from './rooms.ts'
import { createInboundLimit, startSeed } from './seed.ts'
import { createStatusReader } from './status.ts'
import { isStoreDamaged } from './store/powers.ts'
import type { ElastosNode, NodeInit } from './types.ts'
import { VERSION } from './version.ts'

/**
 * Starts a node over a data folder: opens its keys and stores, joins the network, serves what is public, and listens
 * for commands. What was started is stopped again when a later part fails.
 *
 * @throws NodeError `ERR_NODE_RUNNING`, `ERR_DATA_FOLDER`, `ERR_CONFIG_INVALID`, `ERR_STORE_UNUSABLE`; the codes of its
 * parts
 */
export async function startNode(init: NodeInit): Promise<ElastosNode> {
  try {
    return await compose(init)
  } catch (thrown) {
    // Damage shows when the store is read, which a start does: opening it once more repairs it.
    if (init.powers?.datastore !== undefined || !isStoreDamaged(dataPaths(init.dataFolder).store))
      throw thrown
    return await compose(init)
  }
}

async function compose(init: NodeInit): Promise<ElastosNode> {
  await using stack = new AsyncDisposableStack()
  const base = await openBase(init, stack)
  const denyList = await openDenyList({ files: base.privateFiles, random: base.random }, base.paths.deny)
  const revocations = await openNodeRevocations(base)
  const contact = await findFirstContact(base, init)
  const host = stack.use(await startNodeHost(base, { init, denyList, contact, revocations }))
  stack.use(contact.keepAsking(host))
  const hints = createSourceHints()
  const content = stack.use(await startNodeContent(base, { init, host, denyList, hints }))
  // What could not be announced with nobody there is announced as soon as somebody is.
  stack.use(host.onPeer(({ type }) => type === 'connected' && content.hurryAnnouncements()))
  const index = createPublisherIndex({ ...base, names: host.names, blocks: indexBlocks(content) })
  const devices = stack.use(await startDevices({ ...base, host, index, content, revocations }))
  const denials = { isDenied: (did: string) => denyList.isDeniedDid(did), isRevoked: revocations.isRevoked }
  const rooms = stack.use(await startRoomService({ ...base, host, ...denials }))
  const privateRooms = stack.use(
    init.privateRooms === false
      ? createNoPrivateRooms(base.keystore)
      : await startPrivateRoomService({ ...base, host, mailbox: rooms.mailbox, ...denials })
  )
  const isDenied = (name: string): boolean =>
    name.startsWith('did:')
      ? denyList.isDeniedDid(name) || revocations.isRevokedDevice(name)
      : denyList.isDeniedCid(CID.parse(name))
  const replicas = { ...base, host, content, hints, isDenied }
  const replication = stack.use(await startReplicas(replicas, init.replicaLimits))
  const seed =
    init.seed === undefined ? undefined : stack.use(await startSeed(base, { host, init, seed: init.seed }))
  const capsuleParts = await startCapsuleParts(base, { content, index, rooms, denyList, init }, stack)
  const parts = {
    did: base.keystore.device.did,
    personDid: base.keystore.personDid,
    dataFolder: base.paths.root,
    ...{ host, index, content, rooms, privateRooms, devices, replication, contacts: base.contacts },
    dnsLinks: createDnsLinks({ ...base, resolveTxt: init.powers?.resolveTxt ?? systemResolveTxt() }),
    ...capsuleParts,
    status: createStatusReader(base, { host, content, init, seed })
  }
  const stopping = Promise.withResolvers<undefined>()
  const requestStop = (): void => stopping.resolve(undefined)
  if (init.powers?.isControlled !== false) {
    stack.use(await startControl(base, { node: parts, denyList, requestStop }))
  }
  await rememberChoices(base)
  const { version, role, reach, addresses } = parts.status()
  base.logger.info('node started', { version, role, did: parts.did, reach, addresses: addresses.join(' ') })
  const running = stack.move()
  return {
    ...parts,
    stopped: async (signal) => {
      if (signal.aborted) return
      signal.addEventListener('abort', requestStop, { once: true })
      await stopping.promise
      signal.removeEventListener('abort', requestStop)
    },
    [Symbol.asyncDispose]: async () => {
      await running.disposeAsync()
    }
  }
}

async function startNodeHost(
  base: NodeBase,
  parts: { init: NodeInit; denyList: DenyList; contact: FirstContact; revocations: Revocations }
): Promise<Host> {
  const { init, denyList, contact, revocations } = parts
  const { keystore, choices, datastore, clock, random, logger } = base
  const { reach = 'local', discover } = choices
  const signerOf = async (did: string): Promise<KeyPair | undefined> => {
    if (did !== keystore.personDid) return undefined
    await keystore.refresh()
    return keystore.publisher()
  }
  const limit = init.seed === undefined ? undefined : createInboundLimit(clock)
  const host = await startHost(
    { ...{ datastore, clock, random, logger, signerOf }, keyPair: keystore.device },
    {
      ...{ reach, bootstrapPeers: contact.peers },
      role: init.seed === undefined ? 'peer' : 'seed',
      version: VERSION,
      isDenied: (did) => denyList.isDeniedDid(did) || revocations.isRevokedDevice(did),
      ...(limit === undefined ? {} : { allowInbound: limit.allow }),
      discoverIpfs: discover === 'ipfs',
      ...(choices.port === undefined ? {} : { usualPort: choices.port }),
      ...(init.listen === undefined ? {} : { listen: init.listen }),
      ...(init.mdns === undefined ? {} : { mdns: init.mdns }),
      ...(init.ipfs === undefined ? {} : { ipfs: init.ipfs }),
      ...(init.ipfsBootstrap === undefined ? {} : { ipfsBootstrapPeers: init.ipfsBootstrap }),
      ...(init.seed?.announce === undefined ? {} : { announce: init.seed.announce }),
      ...(init.powers?.transports === undefined ? {} : { transports: init.powers.transports })
    }
  )
  limit?.watch(host.libp2p)
  if (init.listen === undefined) rememberPort(base, host)
  return host
}

async function openNodeRevocations(base: NodeBase): Promise<Revocations> {
  const { contacts, keystore, paths } = base
  const isContact = (did: string): boolean => contacts.list().some((contact) => contact.did === did)
  return await openRevocations(base, { path: paths.devices, person: keystore.personDid, isContact })
}

/** Whoever met this node remembers where it was: with every seed gone that is how they find each other again. */
function rememberPort(base: NodeBase, host: Host): void {
  const ports = host.reachability().listening.map((address) => /\/tcp\/(\d+)/.exec(address)?.[1])
  const port = Number(ports.find((text) => text !== undefined))
  if (port > 0) base.choices = { ...base.choices, port }
}

async function startNodeContent(
  base: NodeBase,
  parts: { init: NodeInit; host: Host; denyList: DenyList; hints: SourceHints }
): Promise<Content> {
  const { init, host, denyList, hints } = parts
  const { datastore, clock, random, logger, paths } = base
  const { libp2p, routing, bulkSockets } = host
  const components: ContentComponents = {
    ...{ datastore, clock, random, logger, libp2p, sockets: bulkSockets },
    // a simulation has a network of its own
    startRehearsalNetwork:
      init.powers?.transports === undefined
        ? async (signal) => await startRehearsalNetwork({ clock, random, logger }, signal)
        : undefined,
    blocks: init.powers?.blocksInMemory === true ? createMemoryBlockStore() : paths.blocks,
    isDenied: (cid: CID) => denyList.isDeniedCid(cid),
    // Whatever is added, the keys and stores of this node are never part of it.
    protectedFolders: init.powers?.datastore === undefined ? [realFolder(paths.root)] : [],
    routing: init.routing === false ? 'off' : hints.around(routing)
  }
  // Peers that happen to be connected are not told what this node looks for: only those that say they have it.
  const { uploadMax, downloadMax } = base.choices
  const flow: FlowInit = { upload: capOf(uploadMax), download: capOf(downloadMax) }
  return await startContent(components, { flow, bitswap: { limits: { probePeersMax: 0 } } })
}

function capOf(bytesPerSecond: number | undefined): { readonly total?: number } {
  return bytesPerSecond === undefined || bytesPerSecond === 0 ? {} : { total: bytesPerSecond }
}

function indexBlocks(content: Content): Parameters<typeof createPublisherIndex>[0]['blocks'] {
  return {
    get: async (cid, options) => await content.getBlock(cid, options),
    put: async (bytes, { signal, replaces }) => {
      const { cid } = await content.putBlock(bytes, {
        codec: 'dag-cbor',
        public: true,
        name: 'publisher index',
        signal
      })
      if (replaces !== undefined && !replaces.equals(cid))
        await content.unpin(replaces).catch(() => undefined)
      return cid
    }
  }
}
