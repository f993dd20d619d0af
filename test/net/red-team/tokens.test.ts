/** A hostile capsule in a real sandbox, after rights it was not given. Each attack is one test; none may succeed. */
import assert from 'node:assert/strict'
import { openRedTeamLab, type RedTeamLab } from '../../support/red-team.ts'
import { needs } from '../../support/requirements.ts'

/** What every script begins with: it says what came of each attempt. */
const TRY = `
const attempt = async (name, act) => {
  try { console.log(name + ': got ' + JSON.stringify(await act())) }
  catch (error) { console.log(name + ': ' + (error.code ?? error)) }
}
const read = (path, options) => capsule.callAny('localhost/read', { path }, options)
const ask = async (command = 'localhost/read', resource = 'localhost://notes/*') =>
  (await capsule.request({ command, resource, reason: 'please' })).token
`

describe('red team: rights a capsule was not given', function () {
  this.timeout(60_000)
  let lab: RedTeamLab

  before(async function () {
    await needs(this, 'bubblewrap', 'prlimit')
  })
  beforeEach(async () => {
    lab = await openRedTeamLab()
  })
  afterEach(async () => {
    await lab[Symbol.asyncDispose]()
  })

  const run = async (name: string, script: string): Promise<readonly string[]> => {
    const { lines } = await (await lab.attack(name, TRY + script)).done
    return lines
  }

  it('acting without a token', async () => {
    const lines = await run('thief', `await attempt('read', () => read('notes/a'))`)
    assert.deepEqual(lines, ['read: ERR_CAPABILITY_MISSING'])
    assert.equal(lab.served.length, 0)
  })

  it('a token for more than the manifest says, whatever the shell would allow', async () => {
    const lines = await run(
      'thief',
      `await attempt('write', () => ask('localhost/write'))
       await attempt('all', () => ask('localhost/*'))
       await attempt('root', () => ask('localhost/read', 'localhost://*'))
       await attempt('up', () => ask('localhost/read', 'localhost://notes/../keys/*'))`
    )
    assert.deepEqual(lines, [
      'write: ERR_CAPABILITY_CEILING',
      'all: ERR_CAPABILITY_CEILING',
      'root: ERR_CAPABILITY_CEILING',
      'up: ERR_CHANNEL_PARAMS'
    ])
    assert.equal(lab.questions.length, 0, 'nobody is bothered with what can never be granted')
  })

  it('a read token for writing, and for paths beside its own', async () => {
    const lines = await run(
      'thief',
      `await ask()
       await attempt('read', () => read('notes/a'))
       await attempt('write', () => capsule.callAny('localhost/write', { path: 'notes/a', data: '' }))
       await attempt('delete', () => capsule.callAny('localhost/delete', { path: 'notes/a' }))
       for (const path of ['keys', 'notes/../keys', 'notes//a', './notes/a', 'notes/%2e%2e/keys', '/notes/a', ''])
         await attempt(JSON.stringify(path), () => read(path))`
    )
    const [allowed, ...others] = lines
    assert.match(allowed ?? '', /^read: got /)
    for (const line of others) assert.match(line, /: ERR_(?:TOKEN|CAPABILITY|CHANNEL)_/)
    assert.equal(others.length, 9)
    assert.deepEqual(
      lab.served.map(({ command, resource }) => `${command} ${resource}`),
      ['localhost/read localhost://notes/a']
    )
  })

  it('the token of another capsule: its CID, its data, its name', async () => {
    const owner = await lab.attack(
      'owner',
      `${TRY}console.log('token ' + await ask()); console.log('did ' + (await capsule.identity()).audience)
       await new Promise((done) => setTimeout(done, 20_000))`
    )
    const token = (await owner.line('token ')).slice('token '.length)
    const did = (await owner.line('did ')).slice('did '.length)
    lab.answer = () => ({ isAllowed: false, isDurable: false, decidedBy: 'person' })
    const lines = await run(
      'thief',
      `const me = await capsule.identity()
       await attempt('read', () => read('notes/a'))
       await attempt('subject', () => read('notes/a', { subject: ${JSON.stringify(did)} }))
       await attempt('delegate', () => capsule.delegate({ token: ${JSON.stringify(token)}, to: me.lineage }))
       await attempt('drop', () => capsule.drop(${JSON.stringify(token)}))
       await attempt('list', () => capsule.capabilities())`
    )
    assert.deepEqual(lines.slice(2), [
      'delegate: ERR_CAPABILITY_UNKNOWN',
      'drop: ERR_CAPABILITY_UNKNOWN',
      'list: got []'
    ])
    for (const line of lines.slice(0, 2)) assert.match(line, /: ERR_(?:TOKEN|CAPABILITY)_/)
    assert.equal(lab.served.length, 0)
  })

  it('a delegation that is wider, and one beyond the other’s own ceiling', async () => {
    lab.answer = () => ({ isAllowed: true, scope: 'always', decidedBy: 'person' })
    const lines = await run(
      'giver',
      `const { lineage, audience } = await capsule.identity()
       const to = lineage.replace('giver', 'taker')
       const token = (await capsule.request({ command: 'localhost/read', resource: 'localhost://notes/*' })).token
       await attempt('wider', () => capsule.delegate({ token, to, resource: 'localhost://*' }))
       await attempt('other', () => capsule.delegate({ token, to, command: 'localhost/write' }))
       await attempt('same', () => capsule.delegate({ token, to }))
       console.log('did ' + audience)`
    )
    assert.deepEqual(lines.slice(0, 2), ['wider: ERR_CAPABILITY_WIDER', 'other: ERR_CAPABILITY_WIDER'])
    assert.match(lines[2] ?? '', /^same: got "b/)
    const subject = lines[3]?.slice('did '.length)
    const reading = `await attempt('read', () => read('notes/a', { subject: ${JSON.stringify(subject)} }))`
    const bounded = await lab.attack('taker', TRY + reading, { capabilities: [] })
    assert.deepEqual((await bounded.done).lines, ['read: ERR_TOKEN_CEILING'])
    assert.equal(lab.served.length, 0)
    const allowed = await lab.attack('taker', TRY + reading)
    assert.match((await allowed.done).lines[0] ?? '', /^read: got /, 'it is the ceiling that refused')
  })

  it('a token after its time', async () => {
    const giver = await lab.attack(
      'giver',
      `${TRY}const token = await ask()
       const { lineage, audience } = await capsule.identity()
       const to = lineage.replace('giver', 'late')
       await attempt('past', () => capsule.delegate({ token, to, expiresAtMs: Date.now() - 1_000 }))
       console.log('did ' + audience)
       for await (const line of capsule.lines()) await capsule.delegate({ token, to, expiresAtMs: Date.now() + 2_000 })
       await new Promise((done) => setTimeout(done, 20_000))`
    )
    const subject = JSON.stringify((await giver.line('did ')).slice('did '.length))
    const late = await lab.attack(
      'late',
      `${TRY}const reads = async () => await read('notes/a', { subject: ${subject} }).then(() => true, () => false)
       await attempt('before', () => read('notes/a', { subject: ${subject} }))
       while (!(await reads())) await new Promise((done) => setTimeout(done, 50))
       console.log('during')
       await new Promise((done) => setTimeout(done, 2_500))
       await attempt('after', () => read('notes/a', { subject: ${subject} }))`
    )
    await late.line('before: ERR_')
    giver.type('now')
    const { lines } = await late.done
    assert.ok(lines.includes('during'), 'it could be used in its time')
    assert.match(lines.at(-1) ?? '', /^after: ERR_(?:TOKEN_EXPIRED|CAPABILITY_MISSING)$/)
  })

  it('a token that was revoked a moment ago, or ended with everything', async () => {
    const attacker = await lab.attack(
      'thief',
      `${TRY}setTimeout(() => undefined, 20_000)
       console.log('token ' + await ask())
       const gone = new Promise((done) => capsule.onRevoked(done))
       await attempt('before', () => read('notes/a'))
       console.log('revoke me')
       console.log('told ' + (await gone).code)
       await attempt('after', () => read('notes/a'))
       console.log('token ' + await ask())
       console.log('epoch')
       await new Promise((done) => capsule.onRevoked(done))
       await attempt('then', () => read('notes/a'))
       capsule.exit(0)`
    )
    const token = (await attacker.line('token ')).slice('token '.length)
    await attacker.line('revoke me')
    await lab.authority.revoke(token)
    await attacker.line('epoch')
    await lab.authority.revokeAll()
    const { lines } = await attacker.done
    assert.match(lines.find((line) => line.startsWith('before')) ?? '', /: got /)
    assert.ok(lines.includes('told ERR_TOKEN_REVOKED'), lines.join('\n'))
    for (const name of ['after', 'then']) {
      assert.match(lines.find((line) => line.startsWith(`${name}:`)) ?? '', /: ERR_/)
    }
    assert.equal(lab.served.length, 1)
  })

  it('the last use, raced for by two processes', async () => {
    lab.answer = ({ command }) =>
      lab.questions.filter((question) => question.command === command).length === 1
        ? { isAllowed: true, scope: 'always', usesMax: 3, decidedBy: 'person' }
        : { isAllowed: false, isDurable: true, decidedBy: 'person' }
    const race = `${TRY}await attempt('ask', ask)
      await Promise.all(Array.from({ length: 12 }, (_, index) => attempt('use' + index, () => read('notes/a'))))`
    const racers = await Promise.all([lab.attack('racer', race), lab.attack('racer', race)])
    const all = (await Promise.all(racers.map(async ({ done }) => (await done).lines))).flat()
    const uses = all.filter((line) => line.startsWith('use'))
    assert.equal(uses.length, 24)
    assert.equal(uses.filter((line) => line.includes(': got ')).length, 3)
    assert.equal(lab.served.length, 3)
  })

  it('a request written to look like another capsule’s', async () => {
    const forged = {
      jsonrpc: '2.0',
      id: 9,
      method: 'provider.call',
      params: {
        command: 'localhost/read',
        params: { path: 'notes/a' },
        caller: { lineage: 'did:key:z6Mk/owner', name: 'owner' }
      }
    }
    const attacker = await lab.attack(
      'thief',
      `${TRY}await ask()
       const { system } = globalThis[Symbol.for('elastos.system')]
       system.write(3, new TextEncoder().encode(${JSON.stringify(`${JSON.stringify(forged)}\n`)}))
       await attempt('inside', () => capsule.callAny('localhost/read', { path: 'notes/a', caller: { lineage: 'x' } }))
       await attempt('plain', () => read('notes/a'))`
    )
    const { lines } = await attacker.done
    assert.equal(lines[0], 'inside: ERR_CHANNEL_PARAMS')
    assert.match(lines[1] ?? '', /^plain: got /)
    assert.deepEqual([...new Set(lab.served.map(({ caller }) => caller.name))], ['thief'])
  })

  it('a host power and a contract it was not given', async () => {
    const lines = await run(
      'thief',
      `await attempt('power', () => capsule.power('disk/read', { path: 'a' }))
       await attempt('shell', () => capsule.callAny('shell/decide', {}))
       await attempt('peer', () => capsule.callAny('peer/join', { room: 'lobby', nick: 'eve' }))
       await attempt('none', () => capsule.callAny('nobody/knows', {}))`
    )
    assert.deepEqual(lines, [
      'power: ERR_POWER_NONE',
      'shell: ERR_PROVIDER_COMMAND',
      'peer: ERR_PROVIDER_COMMAND',
      'none: ERR_PROVIDER_COMMAND'
    ])
  })

  it('a question that draws on the prompt', async () => {
    const reason = '\\u001b[2J\\u001b[H\\nallowed by your administrator\\u202e'
    await run(
      'thief',
      `await attempt('ask', () => capsule.request({ command: 'localhost/read', resource: 'localhost://notes/*', reason: '${reason}' }))`
    )
    assert.equal(lab.questions.length, 1)
    for (const { reason: shown = '' } of lab.questions) {
      assert.match(shown, /allowed by your administrator/)
      assert.doesNotMatch(shown, /[\p{Cc}\p{Cf}]/u)
    }
  })

  it('a clock that is fine enough to watch others', async () => {
    const lines = await run(
      'watcher',
      `const { system } = globalThis[Symbol.for('elastos.system')]
       const seen = new Set()
       for (let round = 0; round < 200_000 && seen.size < 20; round++) seen.add(system.monotonicMs())
       const all = [...seen]
       console.log('step ' + Math.min(...all.slice(1).map((at, index) => at - all[index])))`
    )
    const step = Number((lines[0] ?? '').slice('step '.length))
    assert.ok(step >= 0.999, `expected a clock of whole milliseconds, got steps of ${step}`)
  })
})
