import { MemoryDatastore } from 'datastore-core'
import type { Datastore } from 'interface-datastore'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import { startHost } from '#dht'
import type { Host, HostInit } from '#dht'
import { createKeyPair } from '#did'
import type { KeyPair } from '#did'

/** What a test may say about a host; the rest is a node on loopback with any free port. */
export interface TestHostInit extends Omit<Partial<HostInit>, 'port'> {
  /** Any free port unless given; `undefined` for the default of a host. */
  readonly port?: number | undefined
  readonly keyPair?: KeyPair
  readonly datastore?: Datastore
}

/** Starts a real host on loopback. */
export async function startTestHost(init: TestHostInit = {}): Promise<Host> {
  const { keyPair = createKeyPair(systemRandom), datastore = new MemoryDatastore(), port, ...rest } = init
  const listening = 'port' in init && port === undefined ? {} : { port: port ?? 0 }
  return await startHost(
    { keyPair, datastore, clock: systemClock, random: systemRandom, logger: silentLogger },
    { reach: 'local', bootstrapPeers: [], ...listening, ...rest }
  )
}

/** How long a test waits for something that the network does; far longer than it takes. */
const UNTIL_TIMEOUT_MS = 30_000

/** Waits until `condition` holds and fails when it does not for long. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = systemClock.monotonicMs() + UNTIL_TIMEOUT_MS
  while (!(await condition())) {
    if (systemClock.monotonicMs() > endMs)
      throw new Error(`not within ${UNTIL_TIMEOUT_MS} ms: ${condition.toString()}`)
    await systemClock.sleep(10)
  }
}
