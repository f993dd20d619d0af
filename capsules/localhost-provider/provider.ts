import type { LocalhostCommands, LocalhostData, LocalhostListing, LocalhostStat, Nothing } from '#providers'
import type { Handlers } from '#sdk'

/**
 * The contract `localhost@1` over the host's power `disk`, which knows whose files a call is about: this capsule sees the
 * files of the call it serves, while it serves it.
 */
export function createLocalhostProvider(): Handlers<LocalhostCommands> {
  return {
    read: async (params, request) => (await request.power('disk/read', params)) as LocalhostData,
    write: async (params, request) => (await request.power('disk/write', params)) as Nothing,
    list: async (params, request) => (await request.power('disk/list', params)) as LocalhostListing,
    stat: async (params, request) => (await request.power('disk/stat', params)) as LocalhostStat,
    delete: async (params, request) => (await request.power('disk/delete', params)) as Nothing,
    mkdir: async (params, request) => (await request.power('disk/mkdir', params)) as Nothing
  }
}
