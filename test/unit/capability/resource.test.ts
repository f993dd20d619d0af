import assert from 'node:assert/strict'
import { parseResource, parseResourcePattern, resourceCovers, RESOURCE_BYTES_MAX } from '#capability'

const NORMAL = [
  'localhost://',
  'localhost://notes/a.txt',
  'localhost://notes/what is this? #1.txt',
  'localhost://...',
  'localhost://.hidden/a..b',
  'localhost://žluťoučký/日本語/👍',
  'elastos://did/did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd',
  'elastos://peer/room/lobby',
  'elastos://content/bafyreigh2akiscaildc',
  'https://example.org',
  'https://example.org:8443/a/b',
  'http://10.0.0.1/x',
  'https://example.org/a%20b/%C3%A9',
  "https://example.org/~user/a;b=c,d(e)!$&+@:'"
]

const BROUGHT_TO_FORM: readonly (readonly [string, string])[] = [
  ['localhost://cafe\u0301', 'localhost://caf\u00e9'],
  ['https://EXAMPLE.org/A', 'https://example.org/A'],
  ['https://example.org:443/a', 'https://example.org/a'],
  ['http://example.org:80', 'http://example.org'],
  ['http://example.org:443', 'http://example.org:443'],
  ['https://example.org/', 'https://example.org'],
  ['https://example.org/a/', 'https://example.org/a']
]

const REFUSED = [
  ...[
    '',
    'notes/a.txt',
    '/etc/passwd',
    'file:///etc/passwd',
    'LOCALHOST://a',
    'localhost:/a',
    'localhost:a',
    'elastos://'
  ],
  ...[
    'localhost:///etc',
    'localhost://a//b',
    'localhost://a/',
    'localhost://..',
    'localhost://a/../b',
    'localhost://a/..'
  ],
  ...[
    'localhost://./a',
    'localhost://a/.',
    'localhost://a\\b',
    'localhost://a%2fb',
    'localhost://%2e%2e/a',
    'localhost://100%'
  ],
  ...[
    'localhost://a\u0000b',
    'localhost://a\nb',
    'localhost://a\u202egpj.exe',
    'localhost://a\u200bb',
    'localhost://a\u2028b'
  ],
  ...['localhost://\ud800', 'localhost://a*', 'localhost://a/*/b', 'localhost://*/b', 'localhost://a\u007fb'],
  ...['elastos://did//x', 'elastos:///did', 'elastos://peer/../did', ' localhost://a'],
  ...[
    'https://',
    'https:///a',
    'https://a b',
    'https://user@example.org',
    'https://example.org:0',
    'https://example.org:65536'
  ],
  ...[
    'https://example.org:',
    'https://example.org:8x',
    'https://example.org:1:2',
    'https://[::1]/',
    'https://example.org.'
  ],
  ...[
    'https://-a.org',
    'https://exam_ple.org',
    'https://\u212aelvin.org',
    'https://example.org?q',
    'https://example.org/a?q=1'
  ],
  ...[
    'https://example.org/a#b',
    'https://example.org/a//b',
    'https://example.org//',
    'https://example.org/../a'
  ],
  ...[
    'https://example.org/%2e%2e/a',
    'https://example.org/%2E%2E/a',
    'https://example.org/a%2Fb',
    'https://example.org/a%5Cb'
  ],
  ...[
    'https://example.org/%61',
    'https://example.org/%c3%a9',
    'https://example.org/%C0%AE',
    'https://example.org/%00'
  ],
  ...[
    'https://example.org/%252E',
    'https://example.org/%25',
    'https://example.org/%2',
    'https://example.org/%E2%80%AE'
  ],
  ...[
    'https://example.org/é',
    'https://example.org/%2A',
    'https://example.org/*/a',
    'https://example.org/%1F'
  ],
  `localhost://${'a'.repeat(256)}`,
  `localhost://${'é'.repeat(128)}`,
  `localhost://${'a/'.repeat(64)}a`,
  `localhost://${`${'a'.repeat(200)}/`.repeat(6)}a`,
  `https://${'a.'.repeat(140)}org`,
  `localhost://${'a'.repeat(10_000_000)}`
]

describe('resources', () => {
  for (const text of NORMAL) {
    it(`have one form: ${text}`, () => {
      assert.equal(parseResource(text), text)
      assert.equal(parseResourcePattern(text), text)
    })
  }

  for (const [text, normal] of BROUGHT_TO_FORM) {
    it(`are brought to it: ${text}`, () => {
      assert.equal(parseResource(text), normal)
      assert.equal(parseResourcePattern(`${text.replace(/\/$/, '')}/*`), `${normal}/*`)
    })
  }

  for (const text of REFUSED) {
    it(`refuse ${JSON.stringify(text.slice(0, 60))}`, () => {
      assert.throws(() => parseResource(text), { code: 'ERR_RESOURCE_INVALID' })
      assert.throws(() => parseResourcePattern(`${text}/*`), { code: 'ERR_RESOURCE_INVALID' })
    })
  }

  it('as patterns end with /* and with nothing else', () => {
    for (const text of [
      'localhost://*',
      'https://*',
      'elastos://*',
      'localhost://a/*',
      'https://example.org/*'
    ]) {
      assert.equal(parseResourcePattern(text), text)
      assert.throws(() => parseResource(text), { code: 'ERR_RESOURCE_INVALID' })
    }
    for (const text of [
      '*',
      '/*',
      'localhost:/*',
      'localhost:///*',
      'localhost://a//*',
      'localhost://a/**',
      'localhost://**'
    ]) {
      assert.throws(() => parseResourcePattern(text), { code: 'ERR_RESOURCE_INVALID' }, text)
    }
    for (const text of [
      'localhost://a/*/*',
      'localhost://a*',
      'https://example.org//*',
      'file://*',
      'localhost://../*'
    ]) {
      assert.throws(() => parseResourcePattern(text), { code: 'ERR_RESOURCE_INVALID' }, text)
    }
  })

  it('fit into their bound at its very end', () => {
    const most = `localhost://${`${'a'.repeat(202)}/`.repeat(4)}${'a'.repeat(200)}`
    assert.equal(parseResource(most).length, RESOURCE_BYTES_MAX)
    assert.throws(() => parseResource(`${most}a`), { code: 'ERR_RESOURCE_INVALID' })
  })
})

describe('resource patterns', () => {
  const covered: readonly (readonly [string, string])[] = [
    ['localhost://a', 'localhost://a'],
    ['localhost://a/*', 'localhost://a'],
    ['localhost://a/*', 'localhost://a/b'],
    ['localhost://a/*', 'localhost://a/b/c'],
    ['localhost://a/*', 'localhost://a/*'],
    ['localhost://a/*', 'localhost://a/b/*'],
    ['localhost://*', 'localhost://'],
    ['localhost://*', 'localhost://a'],
    ['localhost://*', 'localhost://a/*'],
    ['https://*', 'https://example.org'],
    ['https://example.org/*', 'https://example.org'],
    ['https://example.org/*', 'https://example.org/a']
  ]
  for (const [pattern, resource] of covered) {
    it(`${pattern} covers ${resource}`, () => {
      assert.ok(resourceCovers(pattern, resource))
    })
  }

  const apart: readonly (readonly [string, string])[] = [
    ['localhost://a', 'localhost://a/b'],
    ['localhost://a', 'localhost://a/*'],
    ['localhost://a', 'localhost://'],
    ['localhost://', 'localhost://a'],
    ['localhost://a/*', 'localhost://ab'],
    ['localhost://a/*', 'localhost://ab/c'],
    ['localhost://a/*', 'localhost://'],
    ['localhost://a/*', 'localhost://*'],
    ['localhost://a/b/*', 'localhost://a/*'],
    ['localhost://*', 'elastos://a'],
    ['https://*', 'http://example.org'],
    ['https://example.org/*', 'https://example.org.evil.test'],
    ['https://example.org/*', 'https://example.org:8443/a']
  ]
  for (const [pattern, resource] of apart) {
    it(`${pattern} does not cover ${resource}`, () => {
      assert.ok(!resourceCovers(pattern, resource))
    })
  }
})
