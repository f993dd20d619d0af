import { MemoryDatastore } from 'datastore-core'
import type { Datastore } from 'interface-datastore'
import { createLibp2p } from 'libp2p'
import type { Libp2p } from 'libp2p'
import type { CID } from 'multiformats/cid'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import { createMemoryBlockStore, startContent } from '#content'
import type { BlockStore, Content, ContentInit, Misbehaviour } from '#content'
import type { Host } from '#dht'
import type { KeyPair } from '#did'
import { startTestHost } from '../dht/hosts.ts'
import type { TestHostInit } from '../dht/hosts.ts'
import { testLibp2pInit } from './exchange-nodes.ts'

/** A host and its content, on loopback. */
export interface ContentNode extends AsyncDisposable {
  readonly host: Host
  readonly content: Content
  readonly misbehaviour: readonly Misbehaviour[]
}

/** What a test may say about a node. */
export interface ContentNodeInit extends TestHostInit {
  readonly keyPair?: KeyPair
  readonly blocks?: string | BlockStore
  readonly datastore?: Datastore
  /** False: content routing is off. */
  readonly routing?: boolean
  readonly isContentDenied?: (cid: CID) => boolean
  readonly content?: ContentInit
}

/** Starts a node that knows the given seeds. */
export async function startContentNode(init: ContentNodeInit = {}): Promise<ContentNode> {
  const { datastore = new MemoryDatastore(), blocks = createMemoryBlockStore(), ...rest } = init
  await using stack = new AsyncDisposableStack()
  const host = stack.use(await startTestHost({ ...rest, datastore }))
  const misbehaviour: Misbehaviour[] = []
  const content = stack.use(
    await startContent(
      {
        libp2p: host.libp2p,
        routing: init.routing === false ? 'off' : host.routing,
        datastore,
        blocks,
        isDenied: init.isContentDenied ?? (() => false),
        clock: systemClock,
        random: systemRandom,
        logger: silentLogger,
        onMisbehaviour: (noted) => misbehaviour.push(noted)
      },
      init.content
    )
  )
  const running = stack.move()
  return { host, content, misbehaviour, [Symbol.asyncDispose]: async () => await running.disposeAsync() }
}

/** Starts content over a libp2p node that is in no DHT and has no content routing. */
export async function startBareNode(): Promise<{ libp2p: Libp2p; content: Content } & AsyncDisposable> {
  const libp2p = await createLibp2p(testLibp2pInit())
  const content = await startContent({
    libp2p,
    routing: 'off',
    datastore: new MemoryDatastore(),
    blocks: createMemoryBlockStore(),
    isDenied: () => false,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger
  })
  return {
    libp2p,
    content,
    [Symbol.asyncDispose]: async () => {
      await content[Symbol.asyncDispose]()
      await libp2p.stop()
    }
  }
}
