import type { HttpCommands, HttpItem, HttpRequest } from '#providers'
import { capsule, ProviderError, type ServedRequest } from '#sdk'
import { SITE, SITE_ORIGIN, type SitePage } from '../../contract/http-site.ts'

/** Another `http@1`: an archive of one site in the memory of the capsule. It holds no power and reaches nothing. */
const PIECE_LENGTH = 16_384

function pageOf(url: string, method: string, data: string | undefined): SitePage {
  if (!url.startsWith(`${SITE_ORIGIN}/`)) throw new ProviderError('ERR_HTTP_ADDRESS')
  const path = url.slice(SITE_ORIGIN.length)
  if (path === '/echo')
    return { status: 200, headers: {}, body: `${method} ${data === undefined ? '' : atob(data)}` }
  return SITE[path] ?? { status: 404, headers: {}, body: '' }
}

async function* answer(
  params: HttpRequest & { readonly data?: string },
  { command }: ServedRequest
): AsyncGenerator<HttpItem> {
  const method = command.slice('http/'.length).toUpperCase()
  const { status, headers, body } = pageOf(params.url, method, params.data)
  yield await Promise.resolve({ type: 'head', status, headers: Object.entries(headers) })
  if (method === 'HEAD') return
  if (body.length > params.bytesMax) throw new ProviderError('ERR_HTTP_TOO_LARGE')
  for (let at = 0; at < body.length; at += PIECE_LENGTH) {
    yield { type: 'data', data: btoa(body.slice(at, at + PIECE_LENGTH)) }
  }
}

await capsule.provide<HttpCommands>('http', {
  get: answer,
  head: answer,
  post: answer,
  put: answer,
  patch: answer,
  delete: answer
})
