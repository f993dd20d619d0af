/** A page of the site that a lab of `http@1` makes reachable. */
export interface SitePage {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Where that site is. */
export const SITE_ORIGIN = 'http://site.example'

/** What it answers to a path. There is also `/echo`, which answers the method, a space, and what was sent. */
export const SITE: Readonly<Record<string, SitePage>> = {
  '/hello': { status: 200, headers: { 'content-type': 'text/plain', 'x-site': 'ours' }, body: 'hello' },
  '/long': { status: 200, headers: {}, body: 'long '.repeat(20_000) },
  '/moved': { status: 302, headers: { location: 'http://127.0.0.1/secret' }, body: '' },
  '/absent': { status: 404, headers: {}, body: 'no such page' }
}
