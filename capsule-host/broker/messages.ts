import * as z from 'zod'
import {
  CAPSULE_CHANNEL_LIMITS,
  type CapsuleMethods,
  type CapsuleNotifications,
  type CapsuleRequestId,
  type ProvideMethods
} from '#contracts'

/** The methods a capsule may call. */
export type CapsuleMethod = keyof CapsuleMethods

type Params<M extends CapsuleMethod> = CapsuleMethods[M]['params']

const { creditMax, reasonLengthMax, logLengthMax, idLengthMax } = CAPSULE_CHANNEL_LIMITS

const nothing = z.strictObject({})
/** Commands and resources are parsed further by `#capability`. */
const command = z.string().min(1).max(128)
const resource = z.string().min(1).max(2048)
const token = z.string().min(1).max(128)
const did = z.string().min(1).max(128)
const lineage = z.string().min(1).max(256)
const credit = z.int().min(0).max(creditMax)
const stream = z.int().min(1)
const requestId: z.ZodType<CapsuleRequestId> = z.union([z.string().max(idLengthMax), z.int()])
const timeMs = z.int().min(0)
const serving = z.union([z.strictObject({ call: z.string().max(idLengthMax) }), z.strictObject({ stream })])
const call = { command, params: z.exactOptional(z.unknown()) }

/** The parameters of every method, parsed once, here. */
export const METHOD_PARAMS: { readonly [M in CapsuleMethod]: z.ZodType<Params<M>> } = {
  initialize: z.strictObject({ versions: z.array(z.int().min(1).max(65_535)).min(1).max(16) }),
  'capability.request': z.strictObject({
    command,
    resource,
    reason: z.exactOptional(z.string().max(reasonLengthMax)),
    pick: z.exactOptional(z.enum(['file', 'folder', 'person', 'room']))
  }),
  'capability.list': nothing,
  'capability.drop': z.strictObject({ token }),
  'capability.delegate': z.strictObject({
    token,
    to: lineage,
    command: z.exactOptional(command),
    resource: z.exactOptional(resource),
    expiresAtMs: z.exactOptional(timeMs),
    usesMax: z.exactOptional(z.int().min(1))
  }),
  'provider.call': z.strictObject({ ...call, subject: z.exactOptional(did) }),
  'provider.open': z.strictObject({
    ...call,
    subject: z.exactOptional(did),
    credit: z.exactOptional(credit)
  }),
  'power.call': z.strictObject({ ...call, serving: z.exactOptional(serving) }),
  'power.open': z.strictObject({
    ...call,
    serving: z.exactOptional(serving),
    credit: z.exactOptional(credit)
  }),
  'terminal.get': nothing,
  'terminal.raw': z.strictObject({ isRaw: z.boolean() })
}

/** The parameters of every notification of a capsule. */
export const NOTIFICATION_PARAMS: {
  readonly [N in keyof CapsuleNotifications]: z.ZodType<CapsuleNotifications[N]>
} = {
  'stream.next': z.strictObject({ stream, item: z.unknown() }),
  'stream.credit': z.strictObject({ stream, credit: z.int().min(1).max(creditMax) }),
  'stream.end': z.strictObject({ stream, code: z.exactOptional(z.string().max(64)) }),
  'stream.close': z.strictObject({ stream }),
  log: z.strictObject({
    level: z.enum(['debug', 'info', 'warn', 'error']),
    message: z.string().max(logLengthMax)
  }),
  cancel: z.strictObject({ id: requestId })
}

/** What a provider capsule answers when a stream is open. */
export const OPENED: z.ZodType<ProvideMethods['provide.open']['result']> = z.strictObject({
  credit: z.exactOptional(credit)
})

/** Whether a capsule may call such a method at all. */
export function isCapsuleMethod(method: string): method is CapsuleMethod {
  return Object.hasOwn(METHOD_PARAMS, method)
}

/** Whether a capsule may tell such a thing. */
export function isCapsuleNotification(method: string): method is keyof CapsuleNotifications {
  return Object.hasOwn(NOTIFICATION_PARAMS, method)
}
