import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { builtNode } from './built-node.ts'

/**
 * A process of the benchmark `chat-churn`: `chat-member.ts FOLDER BOOTSTRAP ROOM LOG TEXT`. One whole node in a room, until it is
 * killed. It says TEXT soon after it came, and writes what a reader is told to LOG.
 */

const SAY_AFTER_MS = 3_000

async function main([
  dataFolder = '',
  bootstrap = '',
  roomName = '',
  log = '',
  text = ''
]: readonly string[]) {
  const write = (...line: readonly unknown[]): void => appendFileSync(log, `${JSON.stringify(line)}\n`)
  // Its return begins with its process, not when it is ready.
  write('back', performance.timeOrigin)
  const { startNode } = await builtNode()
  await using node = await startNode({
    ...{ dataFolder, reach: 'local', listen: ['/ip4/127.0.0.1/tcp/0'], bootstrap: [bootstrap] },
    powers: { isControlled: false }
  })
  await using room = await node.rooms.join({ room: roomName, nick: 'member' })
  write('in', Date.now())
  console.log(JSON.stringify({ event: 'ready' }))
  void sleep(SAY_AFTER_MS).then(async () => await room.send(text))
  for await (const event of room.told()) {
    if (event.type !== 'message') continue
    // As in the logs of the others: when it was said stands behind the name of a text.
    const [name] = event.text.split(' ')
    write('heard', name, event.index, Date.now(), event.isSelf)
  }
}

await main(process.argv.slice(2))
