import * as z from 'zod'
import { CONTROL_VERSION, type ControlInput, type ControlMethod } from '#contracts'
import { NodeError } from '../errors.ts'

/** A path as the operating system takes it: no NUL, bounded. */
const path = z
  .string()
  .min(1)
  .max(4096)
  .refine((text) => !text.includes('\0'), 'expected a path without NUL')
/** A CID, name or path the content and capsule folders parse further. */
const target = z.string().min(1).max(4096)
const label = z.string().min(1).max(256)
const deadlineMs = z.int().min(1).max(86_400_000)
/** Lines of a log that ride in one answer. */
const CAPSULE_LOG_LINES_MAX = 200
/** Entries of the audit log that ride in one answer. */
const AUDIT_ENTRIES_MAX = 200
const empty = z.strictObject({})

const toolServer = {
  target,
  dev: z.boolean().optional(),
  canAsk: z.boolean().optional(),
  deadlineMs: deadlineMs.optional()
}

const terminalSize = z.strictObject({ columns: z.int().min(1).max(2000), rows: z.int().min(1).max(2000) })
const questionAnswer = z.discriminatedUnion('isAllowed', [
  z.strictObject({
    isAllowed: z.literal(true),
    scope: z.enum(['once', 'session', 'day', 'always']),
    resource: z.string().min(1).max(2048).optional()
  }),
  z.strictObject({ isAllowed: z.literal(false), isDurable: z.boolean(), isAll: z.boolean().optional() })
])

/** The parameters of every method, parsed once, here. */
const PARAMS = {
  'node.status': empty,
  'node.peers': empty,
  'node.connect': z.strictObject({ address: z.string().min(1).max(512) }),
  'node.stop': empty,
  'content.add': z.strictObject({
    path,
    private: z.boolean().optional(),
    hidden: z.boolean().optional(),
    sealed: z.boolean().optional(),
    name: label.optional()
  }),
  'content.get': z.strictObject({
    target,
    output: path,
    force: z.boolean().optional(),
    deadlineMs: deadlineMs.optional(),
    range: z.strictObject({ offset: z.int().min(0), length: z.int().min(1) }).optional()
  }),
  'content.list': z.strictObject({ target, all: z.boolean().optional() }),
  'content.pins': z.strictObject({ all: z.boolean().optional() }),
  'content.pin': z.strictObject({ target, private: z.boolean().optional(), name: label.optional() }),
  'content.unpin': z.strictObject({ target }),
  'repo.stat': empty,
  'repo.verify': empty,
  'repo.gc': empty,
  'repo.export': z.strictObject({
    target,
    output: path,
    force: z.boolean().optional(),
    version: z.union([z.literal(1), z.literal(2)]).optional(),
    partial: z.boolean().optional()
  }),
  'repo.import': z.strictObject({
    path,
    pin: z.boolean().optional(),
    private: z.boolean().optional(),
    name: label.optional()
  }),
  'capsule.publish': z.strictObject({ folder: path, first: z.boolean().optional() }),
  'capsule.verify': z.strictObject({ target }),
  'guest.publish': z.strictObject({ folder: path, first: z.boolean().optional() }),
  'guest.use': z.strictObject({ target, deadlineMs: deadlineMs.optional() }),
  'capsule.run': z.strictObject({
    target,
    args: z.array(z.string().max(4096)).max(64),
    dev: z.boolean().optional(),
    detach: z.boolean().optional(),
    canAsk: z.boolean().optional(),
    terminal: terminalSize.optional(),
    substrate: z.enum(['wasm', 'microvm']).optional(),
    allowEmulated: z.boolean().optional(),
    deadlineMs: deadlineMs.optional(),
    record: z.strictObject({ path, input: z.boolean() }).optional()
  }),
  'capsule.replay': z.strictObject({ path }),
  'capsule.tools': z.strictObject(toolServer),
  'capsule.call': z.strictObject({
    ...toolServer,
    tool: z.string().min(1).max(128),
    arguments: z.record(z.string(), z.unknown())
  }),
  'capsule.attach': z.strictObject({
    target: label,
    watch: z.boolean().optional(),
    terminal: terminalSize.optional(),
    canAsk: z.boolean().optional()
  }),
  'capsule.detach': z.strictObject({ run: z.int().min(1), viewer: z.int().min(1) }),
  'capsule.resize': terminalSize.extend({ run: z.int().min(1), viewer: z.int().min(1) }),
  'capsule.plan': z.strictObject({
    target,
    as: label.optional(),
    installed: z.boolean().optional(),
    deadlineMs: deadlineMs.optional()
  }),
  'capsule.install': z.strictObject({ cid: target, as: label.optional() }),
  'capsule.providers': empty,
  'capsule.provide': z.strictObject({
    contract: label,
    name: target.optional(),
    powers: z.array(label).max(16).optional()
  }),
  'capsule.list': empty,
  'capsule.inspect': z.strictObject({ name: label }),
  'capsule.logs': z.strictObject({
    name: label,
    lines: z.int().min(0).max(CAPSULE_LOG_LINES_MAX),
    follow: z.boolean().optional()
  }),
  'capsule.top': empty,
  'capsule.stop': z.strictObject({ name: label.optional(), run: z.int().min(1).optional() }),
  'capsule.rollback': z.strictObject({ name: label, version: label.optional() }),
  'capsule.remove': z.strictObject({ name: label, data: z.boolean().optional() }),
  'grant.list': z.strictObject({ capsule: target.optional(), all: z.boolean().optional() }),
  'grant.revoke': z.strictObject({ what: target }),
  'grant.revoke-all': empty,
  'grant.forget': z.strictObject({ capsule: target }),
  'grant.why': z.strictObject({ capsule: target, command: label, resource: z.string().min(1).max(2048) }),
  'audit.entries': z.strictObject({
    from: z.int().min(0).optional(),
    limit: z.int().min(0).max(AUDIT_ENTRIES_MAX).optional(),
    follow: z.boolean().optional()
  }),
  'audit.verify': empty,
  'audit.replay': empty,
  'grant.pending': empty,
  'grant.answer': z.strictObject({ id: label, answer: questionAnswer }),
  'name.resolve': z.strictObject({ name: z.string().min(1).max(512) }),
  'name.follow': z.strictObject({
    name: z.string().min(1).max(512),
    everyMs: z.int().min(1_000).max(86_400_000).optional(),
    count: z.int().min(1).max(1_000_000).optional()
  }),
  'dht.provide': z.strictObject({ cid: target }),
  'dht.provide-status': empty,
  'dht.find-providers': z.strictObject({ cid: target, count: z.int().min(1).max(64).optional() }),
  'dht.find-peer': z.strictObject({ peer: z.string().min(1).max(512) }),
  'replica.follow': z.strictObject({ person: label }),
  'replica.unfollow': z.strictObject({ person: label }),
  'replica.group-create': z.strictObject({ name: label, members: z.array(label).max(256) }),
  'replica.group-join': z.strictObject({ id: label }),
  'replica.group-leave': z.strictObject({ id: label }),
  'replica.agreements': empty,
  'replica.offer': z.strictObject({
    spaceBytes: z.int().min(0).optional(),
    publisherBytesMax: z.int().min(0).optional(),
    volunteer: z.boolean().optional(),
    host: z.string().max(256).optional(),
    network: z.string().max(256).optional()
  }),
  'replica.quota': empty,
  'replica.goal': z.strictObject({
    cid: target,
    copies: z.int().min(0).max(1_000),
    readers: z.array(label).max(64).optional()
  }),
  'replica.status': z.strictObject({ cid: target.optional(), challenge: z.boolean().optional() }),
  'replica.repair': empty,
  'replica.leave': empty,
  'contact.add': z.strictObject({ petname: label, did: label }),
  'contact.remove': z.strictObject({ petname: label }),
  'contact.list': empty,
  'device.list': empty,
  'device.add': z.strictObject({
    code: z.string().min(1).max(4096),
    name: label.optional(),
    first: z.boolean().optional()
  }),
  'device.revoke': z.strictObject({ device: label, first: z.boolean().optional() }),
  'deny.add': z.strictObject({ subject: label }),
  'deny.remove': z.strictObject({ subject: label }),
  'deny.list': z.strictObject({ all: z.boolean().optional() }),
  'chat.join': z.strictObject({
    room: z.string().min(1).max(1024),
    nick: z.string().min(1).max(1024),
    isPrivate: z.boolean().optional()
  }),
  'room.list': empty,
  'room.create': z.strictObject({ name: z.string().min(1).max(1024) }),
  'room.invite': z.strictObject({ room: z.string().min(1).max(1024), person: label }),
  'room.remove': z.strictObject({ room: z.string().min(1).max(1024), person: label }),
  'room.moderate': z.strictObject({
    room: z.string().min(1).max(1024),
    action: z.enum([
      ...(['list', 'follow', 'unfollow', 'mute', 'unmute'] as const),
      ...(['remove', 'restore', 'appoint', 'dismiss'] as const)
    ]),
    subject: label.optional(),
    untilMs: z.number().int().nonnegative().optional()
  }),
  'room.leave': z.strictObject({ room: z.string().min(1).max(1024) })
} satisfies Record<ControlMethod, z.ZodType>

const id = z.int().min(1)
const base64 = z.base64().max(128 * 1024)
const call = z.strictObject({ call: id, input: z.unknown() })

const envelope = z.object({
  jsonrpc: z.literal('2.0'),
  id: id.optional(),
  method: z.string().max(64),
  params: z.unknown(),
  version: z.int().optional()
})

const input = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('stdin'), base64 }),
  z.strictObject({ kind: z.literal('stdin-end') }),
  // The room names the limit of a text; this one only keeps the message within its line.
  z.strictObject({ kind: z.literal('text'), text: z.string() }),
  z.strictObject({ kind: z.literal('nick'), nick: z.string().max(1024) }),
  z.strictObject({ kind: z.literal('direct'), to: z.string().max(1024), text: z.string() })
])

/** A message of a command, parsed. */
export type ParsedRequest =
  | { method: 'cancel'; params: { call: number } }
  | { method: 'input'; id: number; params: { call: number; input: unknown } }
  | { method: ControlMethod; id: number; params: unknown }

/** Parses one message. @throws NodeError ERR_CONTROL_MESSAGE, ERR_CONTROL_VERSION or ERR_METHOD_UNKNOWN */
export function parseRequest(value: unknown): ParsedRequest {
  const message = parse(envelope, value)
  if (message.method === 'cancel') {
    return { method: 'cancel', params: parse(z.strictObject({ call: id }), message.params) }
  }
  const requestId = parse(id, message.id)
  if (message.method === 'input')
    return { method: 'input', id: requestId, params: parse(call, message.params) }
  if (message.version !== CONTROL_VERSION) {
    throw new NodeError(
      'ERR_CONTROL_VERSION',
      `expected control protocol ${CONTROL_VERSION}: restart the node with 'elastos node stop'`
    )
  }
  if (!isMethod(message.method)) {
    throw new NodeError(
      'ERR_METHOD_UNKNOWN',
      `expected a method of the control protocol, got ${message.method}`
    )
  }
  const params = parse<unknown>(PARAMS[message.method], message.params ?? {})
  return { method: message.method, id: requestId, params }
}

/** The id that an answer to `value` carries, if it has a valid one: also when nothing else of it is valid. */
export function readRequestId(value: unknown): number | undefined {
  const message = z.object({ id }).safeParse(value)
  return message.success ? message.data.id : undefined
}

/** Parses what a caller sends into a call. @throws NodeError ERR_CONTROL_MESSAGE */
export function parseInput(value: unknown): ControlInput {
  return parse(input, value)
}

function isMethod(name: string): name is ControlMethod {
  return Object.hasOwn(PARAMS, name)
}

function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const where = issue?.path.join('.') ?? ''
  throw new NodeError(
    'ERR_CONTROL_MESSAGE',
    `expected a message of the control protocol: ${where === '' ? 'it' : where}: ${issue?.message ?? 'invalid'}`
  )
}
