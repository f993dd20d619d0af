import type { ContentAdded, ContentCommands, ContentData, ContentStat } from '#providers'
import type { Handlers } from '#sdk'

/** The contract `content@1` over the host's power `content`, which verifies every block on its way. */
export function createContentProvider(): Handlers<ContentCommands> {
  return {
    get: async (params, request) => (await request.power('content/get', params)) as ContentData,
    stat: async (params, request) => (await request.power('content/stat', params)) as ContentStat,
    add: async (params, request) => (await request.power('content/add', params)) as ContentAdded,
    publish: async (params, request) => (await request.power('content/publish', params)) as ContentAdded
  }
}
