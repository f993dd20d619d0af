/** Runs a host for a while, disposes it, and tells what still holds the process. */
import { systemClock } from '#contracts'
import { cidOf } from '../../support/memory-names.ts'
import { startTestHost } from './hosts.ts'

const [aliveMs = '0', ...bootstrapPeers] = process.argv.slice(2)
const host = await startTestHost({ bootstrapPeers })
host.pubsub.subscribe('/elastos/exit', () => 'accept')
void host.routing.provide(await cidOf('exit')).catch(() => undefined)
void Array.fromAsync(host.routing.findProviders(await cidOf('exit'))).catch(() => undefined)
await systemClock.sleep(Number(aliveMs))
await host[Symbol.asyncDispose]()
// queues of libp2p report to be empty a millisecond later
await systemClock.sleep(50)
process.send?.(process.getActiveResourcesInfo())
process.disconnect?.()
