/** A node as a process of its own, told what to do on standard input: for tests that kill it. */
import { createInterface } from 'node:readline'
import { errorCode, errorMessage } from '#contracts'
import { parseDid } from '#did'
import { startNode } from '#node'
import { z } from 'zod'

const init = z
  .strictObject({
    dataFolder: z.string(),
    bootstrap: z.array(z.string()),
    limits: z.record(z.string(), z.number())
  })
  .parse(JSON.parse(process.argv[2] ?? ''))

const did = z.string().transform(parseDid)
const order = z.discriminatedUnion('do', [
  z.strictObject({
    do: z.literal('offer'),
    spaceBytes: z.number(),
    publisherBytesMax: z.number().optional(),
    isVolunteer: z.boolean().optional()
  }),
  z.strictObject({ do: z.literal('follow'), person: did }),
  z.strictObject({
    do: z.literal('add'),
    bytes: z.string(),
    copies: z.number(),
    isPrivate: z.boolean().optional(),
    isSealed: z.boolean().optional()
  }),
  z.strictObject({ do: z.literal('status'), root: z.string() }),
  z.strictObject({ do: z.literal('challenge'), root: z.string() }),
  z.strictObject({ do: z.literal('quota') }),
  z.strictObject({ do: z.literal('holds'), root: z.string() }),
  z.strictObject({ do: z.literal('get'), root: z.string(), output: z.string() }),
  z.strictObject({ do: z.literal('stop') })
])

const stopping = new AbortController()
const node = await startNode({
  dataFolder: init.dataFolder,
  bootstrap: init.bootstrap,
  reach: 'local',
  mdns: false,
  listen: ['/ip4/127.0.0.1/tcp/0'],
  replicaLimits: init.limits
})
say({ event: 'ready', did: node.did, personDid: node.personDid, address: node.host.addresses()[0] })

const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => {
  const { id, what } = z.strictObject({ id: z.number(), what: order }).parse(JSON.parse(line))
  const event = `done ${id}`
  carryOut(what)
    .then((result) => say({ event, result }))
    .catch((thrown: unknown) => say({ event, code: errorCode(thrown), reason: errorMessage(thrown) }))
})
await node.stopped(stopping.signal)
lines.close()
await node[Symbol.asyncDispose]()

async function carryOut(what: z.infer<typeof order>): Promise<unknown> {
  const { replication, content } = node
  switch (what.do) {
    case 'offer': {
      const { spaceBytes, publisherBytesMax, isVolunteer = false } = what
      const share = publisherBytesMax === undefined ? {} : { publisherBytesMax }
      return await replication.offer({ spaceBytes, isVolunteer, ...share })
    }
    case 'follow':
      await replication.follow(what.person)
      return 'following'
    case 'add': {
      const bytes = Buffer.from(what.bytes, 'base64')
      const isPrivate = what.isPrivate === true
      const options = { private: isPrivate, sealed: what.isSealed === true }
      const { cid, link } = await content.addFiles([{ path: 'a', content: bytes }], options)
      await replication.setGoal(cid.toString(), { copies: what.copies, isPublic: !isPrivate })
      return link ?? cid.toString()
    }
    case 'status':
      return replication.status(what.root)
    case 'challenge':
      return await replication.challenge(what.root)
    case 'quota':
      return replication.quota()
    case 'holds':
      return replication.holds(what.root)
    case 'get':
      return await content.get(what.root, { output: what.output })
    case 'stop':
      stopping.abort()
      return 'stopping'
  }
}

function say(message: object): void {
  process.stdout.write(
    JSON.stringify(message, (_key, value: unknown) =>
      typeof value === 'bigint' ? value.toString() : value
    ) + '\n'
  )
}
