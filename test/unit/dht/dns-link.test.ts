import assert from 'node:assert/strict'
import { systemClock, systemRandom } from '#contracts'
import { createDnsLinks, isDomain } from '#dht'
import type { DnsLink } from '#dht'
import { createKeyPair, ipnsNameFromDid } from '#did'
import { startDnsServer } from '../../support/dns-server.ts'
import type { DnsServer } from '../../support/dns-server.ts'
import { cidOf } from '../../support/memory-names.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'

const { signal } = new AbortController()
const cid = (await cidOf('site')).toString()
const { did } = createKeyPair(systemRandom)

describe('dht/dns-link, over a real resolver and a server on loopback', () => {
  let server: DnsServer
  const resolve = async (domain: string): Promise<DnsLink> =>
    await createDnsLinks({ resolveTxt: server.resolveTxt, clock: systemClock }).resolve(domain, { signal })

  beforeEach(async () => {
    server = await startDnsServer({
      '_dnslink.example.org': [`dnslink=/ipfs/${cid}`],
      'example.org': ['dnslink=/ipfs/bafkqaaa', 'v=spf1 -all'],
      'bare.org': ['google-site-verification=x', `dnslink=/ipfs/${cid}/docs/a b`],
      '_dnslink.key.org': [`dnslink=/ipns/${ipnsNameFromDid(did)}`],
      '_dnslink.did.org': [`dnslink=/ipns/${did}`],
      '_dnslink.www.example.org': ['dnslink=/ipns/example.org/sub'],
      '_dnslink.deep.org': ['dnslink=/ipns/www.example.org/er'],
      '_dnslink.loop-a.org': ['dnslink=/ipns/loop-b.org'],
      '_dnslink.loop-b.org': ['dnslink=/ipns/loop-a.org'],
      '_dnslink.bad.org': ['dnslink=/ipfs/not-a-cid'],
      '_dnslink.odd.org': ['dnslink=/http/example.org'],
      '_dnslink.huge.org': [`dnslink=/ipfs/${cid}/${'x'.repeat(2_000)}`],
      '_dnslink.two.org': [`dnslink=/ipfs/${cid}/b`, `dnslink=/ipfs/${cid}/a`],
      ...Object.fromEntries(
        Array.from({ length: 12 }, (_, step) => [`_dnslink.c${step}.org`, [`dnslink=/ipns/c${step + 1}.org`]])
      )
    })
  })
  afterEach(async () => {
    await server[Symbol.asyncDispose]()
  })

  it('reads _dnslink first, then the domain itself', async () => {
    const link = await resolve('Example.ORG.')
    assert.deepEqual(
      [String((link.target as { cid: unknown }).cid), link.path, link.domains],
      [cid, '', ['example.org']]
    )
    const bare = await resolve('bare.org')
    assert.deepEqual([String((bare.target as { cid: unknown }).cid), bare.path], [cid, 'docs/a b'])
    assert.deepEqual(server.asked, ['_dnslink.example.org', '_dnslink.bare.org', 'bare.org'])
  })

  it('leads to a key, in both spellings', async () => {
    for (const domain of ['key.org', 'did.org'])
      assert.deepEqual((await resolve(domain)).target, { name: did })
  })

  it('goes through other domains, and takes their paths along', async () => {
    const { domains, path } = await resolve('deep.org')
    assert.deepEqual(domains, ['deep.org', 'www.example.org', 'example.org'])
    assert.equal(path, 'sub/er')
  })

  it('takes the same one of several every time', async () => {
    assert.equal((await resolve('two.org')).path, 'a')
  })

  it('ends circles and long ways', async () => {
    for (const domain of ['loop-a.org', 'c0.org'])
      await assert.rejects(resolve(domain), { code: 'ERR_DNSLINK_INVALID' })
    assert.ok(server.asked.length <= 12)
  })

  it('says whether there is none, a bad one, or no answer', async () => {
    await assert.rejects(resolve('none.org'), { code: 'ERR_DNSLINK_NOT_FOUND' })
    for (const domain of ['bad.org', 'odd.org', 'huge.org', '-x.org', 'localhost'])
      await assert.rejects(resolve(domain), { code: 'ERR_DNSLINK_INVALID' })
    server.isSilent = true
    await assert.rejects(resolve('example.org'), { code: 'ERR_DNS_UNREACHABLE' })
  })

  it('waits for no resolver for ever, and ends with the reason of the caller', async () => {
    const clock = createVirtualClock()
    const hanging = createDnsLinks({ resolveTxt: async () => await new Promise(() => undefined), clock })
    const late = assert.rejects(hanging.resolve('example.org', { signal }), { code: 'ERR_DHT_TIMEOUT' })
    await clock.advance(60_000)
    await late
    const reason = new Error('enough')
    const aborted = hanging.resolve('example.org', { signal: AbortSignal.abort(reason) })
    await assert.rejects(aborted, reason)
    assert.equal(clock.pendingCount(), 0)
  })

  it('tells a domain from a key', () => {
    for (const text of ['example.org', 'a.b.example.co', 'xn--bcher-kva.example', 'example.org.'])
      assert.equal(isDomain(text), true, text)
    for (const text of [
      did,
      ipnsNameFromDid(did),
      'alice',
      '',
      'a..b',
      'exa mple.org',
      `${'a.'.repeat(130)}org`
    ])
      assert.equal(isDomain(text), false, text)
  })
})
