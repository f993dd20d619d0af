import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import type { Libp2p } from '@libp2p/interface'
import { createLibp2p } from 'libp2p'
import type { Clock, Logger, Random } from '#contracts'
import { createKeyPair } from '#did'
import type { KeyPair } from '#did'
import { createBulkSockets, divertedTcp } from './bulk/index.ts'
import { encryptedStreams } from './libp2p-options.ts'
import { quietLogger } from './quiet-logger.ts'

const LISTEN = '/ip4/127.0.0.1/tcp/0'

/** Two nodes of this process, connected as they would be to others. */
export interface RehearsalNetwork extends AsyncDisposable {
  /** Has dialled the other. */
  readonly asking: Libp2p
  readonly serving: Libp2p
}

/** What a connection of this process with itself is made with. */
export interface RehearsalNetworkComponents {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/**
 * Connects two nodes of this process, with keys of their own, that know and let in nobody but each other: TCP over loopback, our
 * encryption and our streams. What runs here for the first time has been compiled when it matters.
 *
 * @throws the reason of `signal`, or whatever libp2p throws, such as where nothing may listen
 */
export async function startRehearsalNetwork(
  components: RehearsalNetworkComponents,
  signal: AbortSignal
): Promise<RehearsalNetwork> {
  await using stack = new AsyncDisposableStack()
  const keyPairs = [createKeyPair(components.random), createKeyPair(components.random)] as const
  const serving = await startPeer({
    ...components,
    stack,
    keyPair: keyPairs[0],
    other: keyPairs[1],
    listen: [LISTEN]
  })
  const asking = await startPeer({
    ...components,
    stack,
    keyPair: keyPairs[1],
    other: keyPairs[0],
    listen: []
  })
  signal.throwIfAborted()
  await asking.dial(serving.getMultiaddrs(), { signal })
  const running = stack.move()
  return { asking, serving, [Symbol.asyncDispose]: async () => await running.disposeAsync() }
}

async function startPeer(
  o: RehearsalNetworkComponents & {
    readonly stack: AsyncDisposableStack
    readonly keyPair: KeyPair
    readonly other: KeyPair
    readonly listen: string[]
  }
): Promise<Libp2p> {
  const { keyPair, other } = o
  const known = privateKeyOf(other).publicKey
  const isStranger = ({
    publicKey
  }: {
    readonly publicKey?: { equals(key: unknown): boolean } | undefined
  }): boolean => publicKey?.equals(known) !== true
  const libp2p = await createLibp2p({
    privateKey: privateKeyOf(keyPair),
    logger: quietLogger,
    addresses: { listen: o.listen },
    transports: [divertedTcp({}, o.stack.use(createBulkSockets(o)))],
    ...encryptedStreams(),
    connectionMonitor: { enabled: false },
    connectionGater: {
      denyDialPeer: isStranger,
      denyDialMultiaddr: () => false,
      denyInboundEncryptedConnection: isStranger,
      denyOutboundEncryptedConnection: isStranger
    }
  })
  o.stack.defer(async () => await libp2p.stop())
  return libp2p
}

function privateKeyOf({ seed, publicKey }: KeyPair): ReturnType<typeof privateKeyFromRaw> {
  return privateKeyFromRaw(Buffer.concat([seed, publicKey]))
}
