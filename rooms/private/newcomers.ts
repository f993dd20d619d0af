import { errorCode } from '#contracts'
import { DEVICES_INTERVAL_MS } from './constants.ts'
import { currentMembers } from './conversation.ts'
import { readPrekey, type Prekey } from './prekeys.ts'
import { askFor } from './speaking.ts'
import type { UpkeepComponents } from './upkeep.ts'

/** Devices that persons certified since their direct conversation began. */
export interface Newcomers {
  /** Has them looked for, unless that was done a short while ago. */
  lookFor(group: string): void
  /** Takes in those of the conversations they are to be looked for in. */
  takeIn(signal: AbortSignal): Promise<void>
}

/** Looks for devices by the prekeys they publish; those that are in already are not asked for. */
export function createNewcomers(components: UpkeepComponents): Newcomers {
  const { clock, logger } = components
  const lookedAtMs = new Map<string, number>()
  const wanted = new Set<string>()
  return {
    lookFor: (group) => {
      const nowMs = clock.monotonicMs()
      if (nowMs - (lookedAtMs.get(group) ?? -DEVICES_INTERVAL_MS) < DEVICES_INTERVAL_MS) return
      lookedAtMs.set(group, nowMs)
      wanted.add(group)
    },
    takeIn: async (signal) => {
      for (const group of wanted) {
        wanted.delete(group)
        await takeInto(components, group, signal).catch((error: unknown) => {
          logger.debug('devices not taken in', { code: errorCode(error) })
        })
      }
    }
  }
}

async function takeInto(
  { keeper, prekeys, context }: UpkeepComponents,
  group: string,
  signal: AbortSignal
): Promise<void> {
  const before = keeper.get(group)
  const except = currentMembers(before).map(({ device }) => device)
  const { persons } = before.info
  const found: Prekey[] = []
  for (const person of persons) {
    for (const bytes of await prekeys.take(person, { signal, except })) {
      const { suite, nowMs } = context()
      const prekey = await readPrekey(suite, bytes, nowMs).catch(() => undefined)
      if (prekey?.person === person) found.push(prekey)
    }
  }
  await keeper.change(group, async (conversation) => {
    const members = currentMembers(conversation)
    const add = found.filter(({ device }) => members.every((member) => member.device !== device))
    const isNone = add.length === 0
    const unchanged = { conversation, outgoing: [], events: [] }
    return {
      step: isNone ? unchanged : await askFor(context(), conversation, { add, remove: [] }),
      value: undefined
    }
  })
}
