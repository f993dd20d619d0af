/**
 * A program whose handler opens a stream while the peer resets the connection, again and again; prints how many errors
 * nobody caught. Argument: `stock` or `ours`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { guardedYamux } from '../../../dht/guarded-muxer.ts'
import { testLibp2pInit } from '../content/exchange-nodes.ts'

const ROUNDS = 10
let uncaught = 0
process.on('uncaughtException', () => uncaught++)

for (let round = 0; round < ROUNDS; round++) {
  const streamMuxers = process.argv[2] === 'stock' ? [yamux()] : [guardedYamux({})]
  const victim = await createLibp2p({ ...testLibp2pInit(), streamMuxers })
  const attacker = await createLibp2p(testLibp2pInit())
  await attacker.handle('/answer', () => undefined)
  await victim.handle('/ask', (stream, connection) => {
    stream.addEventListener('message', () => void connection.newStream('/answer').catch(() => undefined))
  })
  const connection = await attacker.dial(victim.getMultiaddrs())
  const stream = await connection.newStream('/ask')
  await sleep(30)
  for (let count = 0; count < 50; count++) stream.send(new Uint8Array(1000))
  await sleep(0)
  connection.abort(new Error('reset'))
  await sleep(30)
  await Promise.all([victim.stop(), attacker.stop()])
}
process.stdout.write(JSON.stringify({ uncaught }) + '\n')
