import { MemoryDatastore } from 'datastore-core'
import type { CID } from 'multiformats/cid'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import { createMemoryBlockStore, startContent, type BlockStore, type Content } from '#content'
import type { Provider } from '../../../content/bitswap/peer-search.ts'
import { startTestHost } from '../dht/hosts.ts'

/** A host with content as a node has it, on loopback, whose routing is told whom to name. */
export interface WholeNode extends AsyncDisposable {
  readonly content: Content
  readonly store: BlockStore
  provider(): Provider
}

/** Starts a node; `providers` have whatever it looks for. */
export async function startWholeNode(
  init: { store?: BlockStore; providers?: () => readonly Provider[] } = {}
): Promise<WholeNode> {
  const { store = createMemoryBlockStore(), providers = () => [] } = init
  await using stack = new AsyncDisposableStack()
  const host = stack.use(await startTestHost())
  const content = stack.use(
    await startContent({
      libp2p: host.libp2p,
      datastore: new MemoryDatastore(),
      blocks: store,
      isDenied: () => false,
      ...{ clock: systemClock, random: systemRandom, logger: silentLogger },
      routing: {
        provide: () => Promise.resolve(),
        findProviders: async function* () {
          yield* await Promise.resolve(providers())
        }
      }
    })
  )
  const running = stack.move()
  return {
    content,
    store,
    provider: () => ({ peerId: host.peerId, multiaddrs: host.addresses() }),
    [Symbol.asyncDispose]: () => running.disposeAsync()
  }
}

/** Starts a node that lets everybody have what is in the store, below that root. */
export async function startWholeProvider(store: BlockStore, root: CID): Promise<WholeNode> {
  const node = await startWholeNode({ store })
  await node.content.pin(root)
  return node
}
