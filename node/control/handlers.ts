import type { ControlMethod, ControlParams, ControlResult } from '#contracts'
import type { DenyList } from '#bootstrap'
import type { Host } from '#dht'
import type { NodeBase } from '../base.ts'
import { processId } from '../powers.ts'
import { createLineageReader } from '../capsule-target.ts'
import { readPeers } from '../status.ts'
import type { ElastosNode } from '../types.ts'
import { createCapsuleHandlers } from './capsule-handlers.ts'
import { createChatHandler } from './chat-handler.ts'
import { createContentHandlers } from './content-handlers.ts'
import { createRepoHandlers } from './repo-handlers.ts'
import { createDenyHandlers } from './deny-handlers.ts'
import { createDhtHandlers } from './dht-handlers.ts'
import { createDeviceHandlers } from './device-handlers.ts'
import { createGrantHandlers } from './grant-handlers.ts'
import { createGuestHandlers } from './guest-handlers.ts'
import { createLifecycleHandlers } from './lifecycle-handlers.ts'
import { createNameHandlers } from './name-handlers.ts'
import { createModerationHandler } from './moderation-handler.ts'
import { createPrivateRoomHandlers } from './private-room-handlers.ts'
import { createProviderHandlers } from './provider-handlers.ts'
import { createQuestionHandlers } from './question-handlers.ts'
import { takeRows } from './rows.ts'
import type { CallContext, ControlHandlers } from './server.ts'
import { createRunTerminals, createTerminalHandlers } from './terminal-handlers.ts'
import { createReplicaHandlers } from './replica-handlers.ts'
import { createToolHandlers } from './tool-handlers.ts'

/** What the handlers act on. */
export interface HandlerParts {
  readonly node: Omit<ElastosNode, 'stopped' | typeof Symbol.asyncDispose>
  readonly denyList: DenyList
  /** Ends the node once the answer is on its way. */
  readonly requestStop: () => void
}

/** One method's handler, typed by the control protocol. */
export type Handler<M extends ControlMethod> = (
  params: ControlParams<M>,
  context: CallContext
) => Promise<ControlResult<M>>

/** A handler for each of these methods. */
export type HandlersOf<M extends ControlMethod> = { readonly [K in M]: Handler<K> }

/** The handler of every method. */
export function createHandlers(base: NodeBase, parts: HandlerParts): ControlHandlers {
  const { node, denyList } = parts
  const { content, capsules, installed, rooms, runtime } = node
  const toLineage = createLineageReader(node.contacts)
  const questions = { desk: node.shell.desk, contacts: node.contacts }
  const terminals = createRunTerminals()
  const capsuleParts = { capsules, installed, questions, runtime, terminals, toLineage, clock: base.clock }
  return {
    ...createNodeHandlers(base, parts),
    ...createContentHandlers(content, base.clock, node.replication),
    ...createRepoHandlers(content),
    ...createCapsuleHandlers(capsuleParts),
    ...createTerminalHandlers(capsuleParts),
    ...createToolHandlers(capsuleParts),
    ...createLifecycleHandlers(capsuleParts),
    ...createProviderHandlers({ capsules, installed, toLineage, providers: node.providers }),
    ...createQuestionHandlers(questions),
    ...createGrantHandlers({ runtime: node.runtime, capsules, installed, toLineage }),
    ...createGuestHandlers(node.guests),
    ...createNameHandlers(node, base.clock),
    ...createDhtHandlers(node),
    ...createDeviceHandlers(node.devices),
    ...createReplicaHandlers(node),
    ...createPrivateRoomHandlers(node),
    'room.moderate': createModerationHandler(node),
    ...createDenyHandlers(denyList, async () => {
      await leaveDenied(node.host, denyList)
      await withdrawDenied(node, denyList)
    }),
    'chat.join': createChatHandler({
      ...{ rooms, privateRooms: node.privateRooms, contacts: node.contacts, clock: base.clock },
      noteUse: async () => await base.remember({ hasChatted: true })
    })
  }
}

function createNodeHandlers(
  { clock, keystore }: NodeBase,
  { node, requestStop }: HandlerParts
): HandlersOf<
  | 'node.status'
  | 'node.peers'
  | 'node.connect'
  | 'node.stop'
  | 'contact.add'
  | 'contact.remove'
  | 'contact.list'
> {
  const { host, contacts } = node
  return {
    'node.status': async () => {
      // Whether the words are still here may have changed by a command; a keystore that cannot be read changes nothing.
      await keystore.refresh().catch(() => undefined)
      return node.status()
    },
    'node.peers': async () => {
      const { rows, isCut } = await takeRows(readPeers({ host }, clock.nowMs()), { describe: (peer) => peer })
      return { peers: rows, isCut }
    },
    'node.connect': async ({ address }, { signal }) => {
      await host.connect(address, signal)
      return { peerId: address.split('/p2p/').at(-1) ?? address }
    },
    'node.stop': async () => {
      // After the answer: the caller then waits for the process to end.
      clock.after(10, requestStop)
      return await Promise.resolve({ pid: processId() })
    },
    'contact.add': async ({ petname, did }) => await contacts.add(petname, did),
    'contact.remove': async ({ petname }) => {
      await contacts.remove(petname)
      return { petname }
    },
    'contact.list': async () => await Promise.resolve({ contacts: contacts.list() })
  }
}

/** What is denied now is announced no more; a node that starts leaves it out by itself. */
async function withdrawDenied(
  { content, host }: Pick<ElastosNode, 'content' | 'host'>,
  denyList: DenyList
): Promise<void> {
  for await (const { cid, isPublic } of content.pins()) {
    if (isPublic && denyList.isDeniedCid(cid)) await host.routing.forget(cid)
  }
}

/** Ends the connections to peers that are denied now; the gater keeps them from coming back. */
async function leaveDenied(host: Host, denyList: DenyList): Promise<void> {
  const denied = new Set(
    host
      .peers()
      .flatMap(({ peerId, did }) => (did !== undefined && denyList.isDeniedDid(did) ? [peerId] : []))
  )
  const connections = host.libp2p
    .getConnections()
    .filter(({ remotePeer }) => denied.has(remotePeer.toString()))
  await Promise.allSettled(connections.map(async (connection) => await connection.close()))
}
