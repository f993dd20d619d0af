import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { createLibp2p } from 'libp2p'
import type { Clock, Logger, Random } from '#contracts'
import { createKeyPair } from '#did'
import type { KeyPair } from '#did'
import { createBulkSockets, divertedTcp } from './bulk/index.ts'
import { encryptedStreams } from './libp2p-options.ts'
import { quietLogger } from './quiet-logger.ts'

/** Spoken by nobody else. */
const PROTOCOL = '/elastos/rehearsal/1.0.0'
const LISTEN = '/ip4/127.0.0.1/tcp/0'
/** Bytes that may come on a stream before more are asked for: as many as a fetch asks for. */
const WINDOW_BYTES: number = 3 * 1024 * 1024

/** A connection of this process with itself, made like those to other nodes. */
export interface RehearsalNetwork extends AsyncDisposable {
  /** Both ends of a new stream. @throws the reason of `signal`, or whatever libp2p throws */
  openStream(signal: AbortSignal): Promise<readonly [asking: Stream, serving: Stream]>
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
  const arrivals: ((stream: Stream) => void)[] = []
  await serving.handle(PROTOCOL, (stream) => arrivals.shift()?.(stream))
  const connection: Connection = await asking.dial(serving.getMultiaddrs(), { signal })
  const running = stack.move()
  return {
    openStream: async (opening) => {
      const { promise, resolve, reject } = Promise.withResolvers<Stream>()
      const onAbort = (): void => reject(opening.reason as Error)
      opening.addEventListener('abort', onAbort, { once: true })
      arrivals.push(resolve)
      try {
        const options = { signal: opening, negotiateFully: false, windowBytes: WINDOW_BYTES }
        return [await connection.newStream(PROTOCOL, options), await promise]
      } finally {
        opening.removeEventListener('abort', onAbort)
      }
    },
    [Symbol.asyncDispose]: async () => await running.disposeAsync()
  }
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
