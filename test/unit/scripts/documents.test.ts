import assert from 'node:assert/strict'
import { deadLinks, missingParts } from '../../../scripts/docs/checks.ts'
import { readErrorCodes, readLimits, undocumentedIn } from '../../../scripts/docs/sources.ts'

describe('the documents check', () => {
  it('finds links to nowhere and leaves others alone', () => {
    const text = [
      '[is there](../README.md) [elsewhere](https://example.org/x) [here](#a-heading)',
      '# A heading',
      '[gone](absent.md) and [no such part](#nowhere)',
      '```',
      '[in code](absent.md)',
      '```'
    ].join('\n')
    assert.deepEqual(
      deadLinks('docs/SPEC.md', text.replace('#a-heading', '#set-up').replace('#nowhere', '#absent')),
      ['docs/SPEC.md:3: no such file: absent.md', 'docs/SPEC.md:3: no such heading: #absent']
    )
  })

  it('finds parts that the map names and that are not there', () => {
    const text = 'See `did/index.ts`, `powers.ts` and `keys/`.\nAnd `did/absent.ts`.'
    assert.deepEqual(missingParts('docs/ARCHITECTURE.md', text), [
      'docs/ARCHITECTURE.md:2: nothing is at did/absent.ts'
    ])
  })
})

describe('exports', () => {
  it('need a comment of their own; what is only passed on does not', () => {
    const text = [
      `/** Says hello. */`,
      `export function hello(): void {}`,
      `export const bare = 1`,
      `export { other } from './other.ts'`,
      `const inner = 2`
    ].join('\n')
    assert.deepEqual(undocumentedIn('did/x.ts', text), [
      'did/x.ts:3: an export without a comment: export const bare = 1'
    ])
  })
})

describe('the generated tables', () => {
  it('have every error code once a folder, each with what it is about', () => {
    const codes = readErrorCodes()
    assert.ok(codes.some(({ code, folder }) => code === 'ERR_DID_INVALID' && folder === 'did'))
    assert.deepEqual(
      codes.filter(({ about }) => about === ''),
      []
    )
    const names = codes.map(({ code, folder }) => `${folder} ${code}`)
    assert.equal(new Set(names).size, names.length)
  })

  it('have every limit with its value and meaning', () => {
    const limit = readLimits().find(({ name }) => name === 'WORD_COUNT')
    assert.deepEqual(limit, {
      name: 'WORD_COUNT',
      folder: 'did',
      value: '24',
      about: 'Recovery words a person writes down.'
    })
  })
})
