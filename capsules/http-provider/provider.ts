import type { HttpCommands, HttpItem, HttpRequest } from '#providers'
import type { Handlers, ServedRequest } from '#sdk'

/** The contract `http@1` over the host's power `http`, which reaches the public internet and nothing else. */
export function createHttpProvider(): Handlers<HttpCommands> {
  return { get: ask, head: ask, post: ask, put: ask, patch: ask, delete: ask }
}

/** The method is the command that is served, so that a request to get never posts. */
async function* ask(params: HttpRequest, request: ServedRequest): AsyncGenerator<HttpItem> {
  using items = await request.powerStream(request.command, params)
  for await (const item of items) yield item as HttpItem
}
