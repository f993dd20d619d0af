import { TICK_MS } from './constants.ts'
import type { StepContext } from './conversation.ts'
import { startDeliveries } from './deliveries.ts'
import { createDoing } from './doing.ts'
import { createPrivateHub } from './hub.ts'
import { startKeeper } from './keeper.ts'
import { openPrekeyStock } from './prekey-stock.ts'
import { createSuite } from './suite.ts'
import { openTexts } from './texts.ts'
import { statusOf, type PrivateRooms, type PrivateRoomsComponents } from './types.ts'
import { startUpkeep } from './upkeep.ts'
import { createVault } from './vault.ts'

/** Starts the private rooms of a device with what its store has of them. */
export async function startPrivateRooms(components: PrivateRoomsComponents): Promise<PrivateRooms> {
  const { signer, certificate, random, store, storeKey, clock, logger, transport, isAllowed } = components
  await using stack = new AsyncDisposableStack()
  const suite = await createSuite({ signer, certificate, random, isAllowed })
  const vault = createVault(store, storeKey, random)
  const hub = createPrivateHub()
  stack.defer(() => hub.close())
  const deliveries = stack.use(await startDeliveries({ vault, transport, clock, logger }))
  const stock = await openPrekeyStock(suite, vault)
  const texts = await openTexts(vault)
  const context = (): StepContext => ({ suite, signer, nowMs: clock.nowMs() })
  const parts = { vault, suite, deliveries, stock, texts, clock, logger, context, emit: hub.emit }
  const keeper = stack.use(await startKeeper(parts))
  const upkeep = stack.use(startUpkeep({ ...components, keeper, stock, context, periodMs: TICK_MS }))
  const doing = createDoing({ ...components, keeper, context, lookFor: upkeep.lookFor })
  const running = stack.move()
  return {
    ...doing,
    own: suite.own,
    list: () => [...keeper.conversations.values()].map(statusOf),
    texts: async (group) => await texts.read(group),
    unseen: async (kind) => {
      const isWanted = (group: string): boolean => keeper.conversations.get(group)?.info.kind === kind
      return await keeper.alone(async () => await texts.unseen(isWanted))
    },
    seen: async (group, id) => await keeper.alone(async () => await texts.seen(group, id)),
    receive: async (bytes) => await keeper.receive(bytes),
    waiting: () => deliveries.waiting(),
    hurry: (device) => {
      deliveries.hurry(device)
      upkeep.hurry()
    },
    events: () => hub.events(),
    [Symbol.asyncDispose]: () => running.disposeAsync()
  }
}
