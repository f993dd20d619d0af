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

/** Waits until `condition` holds; mocha's own limit is the bound. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await systemClock.sleep(10)
}
