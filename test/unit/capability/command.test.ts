import assert from 'node:assert/strict'
import { commandCovers, parseCommand, parseCommandPattern } from '#capability'

describe('commands', () => {
  it('are a provider and a verb, in one spelling', () => {
    for (const text of ['localhost/read', 'a/b', 'peer-2/open-room', `${'a'.repeat(32)}/${'b'.repeat(32)}`]) {
      assert.equal(parseCommand(text), text)
      assert.equal(parseCommandPattern(text), text)
    }
  })

  const refused = [
    '',
    'read',
    '/read',
    'localhost/',
    'Localhost/read',
    'localhost/read/more',
    'localhost//read',
    '*'
  ]
  refused.push(
    'localhost/re*',
    '*/read',
    '*/*',
    'localhost/read ',
    ' localhost/read',
    '1a/b',
    '-a/b',
    'a_b/c',
    'ä/b'
  )
  refused.push(
    `${'a'.repeat(33)}/b`,
    `a/${'b'.repeat(33)}`,
    'localhost/read\n',
    'localhost\\read',
    'a/b'.repeat(100_000)
  )
  for (const text of refused) {
    it(`refuse ${JSON.stringify(text.slice(0, 40))}`, () => {
      assert.throws(() => parseCommand(text), { code: 'ERR_COMMAND_INVALID' })
      assert.throws(() => parseCommandPattern(text), { code: 'ERR_COMMAND_INVALID' })
    })
  }

  it('of all of a provider are a pattern, not a command', () => {
    assert.equal(parseCommandPattern('localhost/*'), 'localhost/*')
    assert.throws(() => parseCommand('localhost/*'), { code: 'ERR_COMMAND_INVALID' })
  })

  it('are covered by themselves and by their provider’s pattern only', () => {
    assert.ok(commandCovers('localhost/read', 'localhost/read'))
    assert.ok(commandCovers('localhost/*', 'localhost/read'))
    assert.ok(commandCovers('localhost/*', 'localhost/*'))
    assert.ok(!commandCovers('localhost/read', 'localhost/*'))
    assert.ok(!commandCovers('localhost/read', 'localhost/readdir'))
    assert.ok(!commandCovers('local/*', 'localhost/read'))
    assert.ok(!commandCovers('localhost/*', 'localhost-2/read'))
  })
})
