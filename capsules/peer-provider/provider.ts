import type { Nothing, PeerCommands, PeerEvent, PeerMembers, PeerPublished } from '#providers'
import type { Handlers, ServedRequest } from '#sdk'

/**
 * The contract `peer@1` over the host's power `rooms`, which knows who is in which room: a capsule hears and speaks only
 * in rooms it joined, from `join` to `leave` or to its end.
 */
export function createPeerProvider(): Handlers<PeerCommands> {
  return {
    join: async (params, request) => (await request.power('rooms/join', params)) as Nothing,
    nick: async (params, request) => (await request.power('rooms/nick', params)) as Nothing,
    publish: async (params, request) => (await request.power('rooms/publish', params)) as PeerPublished,
    members: async (params, request) => (await request.power('rooms/members', params)) as PeerMembers,
    subscribe: (params, request) => hear(params, request),
    leave: async (params, request) => (await request.power('rooms/leave', params)) as Nothing
  }
}

async function* hear(params: { readonly room: string }, request: ServedRequest): AsyncGenerator<PeerEvent> {
  using events = await request.powerStream('rooms/subscribe', params)
  for await (const event of events) yield event as PeerEvent
}
