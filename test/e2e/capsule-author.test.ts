import assert from 'node:assert/strict'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createCliHome, type CliHome } from '../support/cli.ts'
import { needs } from '../support/requirements.ts'

describe('the author of a capsule', () => {
  let home: CliHome

  before(async function () {
    this.timeout(180_000)
    await needs(this, 'bubblewrap')
    home = await createCliHome()
  })
  after(async () => {
    await home?.run(['node', 'stop'])
    await home?.[Symbol.asyncDispose]()
  })

  async function newCapsule(name: string, ...flags: string[]): Promise<string> {
    const folder = join(home.folder, name)
    const made = await home.run(['capsule', 'new', name, '--folder', folder, ...flags])
    assert.equal(made.code, 0, made.stderr)
    return folder
  }

  it('starts in TypeScript, without anything installed, and runs it', async function () {
    this.timeout(120_000)
    const folder = await newCapsule('hello')
    assert.deepEqual((await readdir(folder)).toSorted(), [
      'README.md',
      'capsule.json',
      'src',
      'tsconfig.json'
    ])
    const ran = await home.run(['capsule', 'run', folder, '--dev', 'earth'], { input: 'and so on\n' })
    assert.equal(ran.stdout, 'hello, earth, from hello\nand so on\n', ran.stderr)
    assert.equal(ran.code, 0)
  })

  it('is told which languages there are', async () => {
    const refused = await home.run([
      'capsule',
      'new',
      'hello',
      '--lang',
      'cobol',
      '--folder',
      join(home.folder, 'x')
    ])
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, /expected --lang typescript, assemblyscript, c, rust, go, got "cobol"/)
  })

  it('sees every change run at once, an error said and mended', async function () {
    this.timeout(120_000)
    const folder = await newCapsule('draft')
    const source = join(folder, 'src', 'main.ts')
    await using dev = await home.start(['capsule', 'dev', folder, '--', 'one'])
    const context = (): string => dev.stderr.text()
    await dev.stdout.line((line) => line === 'hello, one, from draft', { timeoutMs: 60_000, context })
    dev.write('echo\n')
    await dev.stdout.line((line) => line === 'echo', { context })

    await writeFile(source, 'console.log("second version")\n')
    await dev.stdout.line((line) => line === 'second version', { timeoutMs: 30_000, context })
    await dev.stderr.match(/ended with code 0; waiting for a change/, { context })

    await writeFile(source, 'console.log("third" version)\n')
    await dev.stderr.match(/ERR_CAPSULE_BUILD[^]*main\.ts:1/, { timeoutMs: 30_000, context })

    await writeFile(source, 'console.log("third version")\n')
    await dev.stdout.line((line) => line === 'third version', { timeoutMs: 30_000, context })
    const { code } = await dev.end({ signal: 'SIGINT' })
    assert.ok(code === 0 || code === 130, String(code))
  })

  it('offers tools that others list and call', async function () {
    this.timeout(120_000)
    const folder = await newCapsule('calculator')
    const manifest = join(folder, 'capsule.json')
    const refused = await home.run(['capsule', 'tools', folder, '--dev', '--json'])
    assert.match(refused.stderr, /ERR_MCP_INTERFACE/)
    await writeFile(manifest, (await readFile(manifest, 'utf8')).replace('{', '{ "interface": "mcp",'))
    await writeFile(
      join(folder, 'src', 'main.ts'),
      `import { capsule, serveTools } from 'elastos/sdk'
       await serveTools(capsule, { name: 'calculator', version: '1.0.0', tools: {
         add: {
           description: 'Adds two numbers.\\u001b[2J',
           inputSchema: { type: 'object' },
           call: ({ a, b }) => String(Number(a) + Number(b))
         },
         fail: { description: 'Fails.', inputSchema: { type: 'object' }, call: () => { throw new Error('no') } }
       } })`
    )
    const listed = await home.run(['capsule', 'tools', folder, '--dev'])
    assert.match(listed.stdout, /add +Adds two numbers\./)
    assert.ok(!listed.stdout.includes('\u001b'))
    const called = await home.run(['capsule', 'call', folder, 'add', '{"a":20,"b":22}', '--dev'])
    assert.deepEqual([called.code, called.stdout], [0, '42\n'], called.stderr)
    const failed = await home.run(['capsule', 'call', folder, 'fail', '--dev'])
    assert.deepEqual([failed.code, failed.stdout], [1, 'no\n'], failed.stderr)
    const absent = await home.run(['capsule', 'call', folder, 'subtract', '--dev'])
    assert.match(absent.stderr, /expected one of the tools add, fail[^]*|ERR_MCP_REFUSED/)
    assert.notEqual(absent.code, 0)
    await rm(folder, { recursive: true })
  })
})
