import assert from 'node:assert/strict'
import { admitModule, DEFAULT_CAPSULE_LIMITS } from '#capsule-host'
import { compileFiles, compileScript, runModule, runScript } from '../../support/script-capsule.ts'

describe('a capsule in TypeScript', () => {
  it('is admitted: it imports WASI alone and exports its memory and its start', async () => {
    const module = new WebAssembly.Module(
      Uint8Array.from(admitModule(await compileScript(''), DEFAULT_CAPSULE_LIMITS).bytes)
    )
    assert.deepEqual(
      [...new Set(WebAssembly.Module.imports(module).map((each) => each.module))],
      ['wasi_snapshot_preview1']
    )
    assert.deepEqual(
      WebAssembly.Module.exports(module)
        .map((each) => each.name)
        .toSorted(),
      ['_start', 'memory']
    )
  })

  it('is the same bytes for the same sources, wherever they lie', async () => {
    const files = {
      'main.ts': `import { f } from './deep/f.ts'\nf()`,
      'deep/f.ts': 'export const f = () => {}'
    }
    assert.deepEqual(await compileFiles(files), await compileFiles(files))
    const withSdk = await compileScript('console.log(capsule.args)')
    assert.ok(
      !Buffer.from(withSdk).includes(import.meta.dirname.split('/test/')[0] ?? ''),
      'no path of this machine'
    )
  })

  it('takes its code with it and neither its text nor what compiling left in memory', async () => {
    const module = await compileScript(
      `const mix = (first, second) => first * 1234567 + second * 7654321
console.log(mix(...capsule.args), mix)`
    )
    assert.ok(!Buffer.from(module).includes('second * 7654321'))
    assert.ok(module.byteLength < 900_000, String(module.byteLength))
  })

  it('runs its modules, types and all, and ends with 0', async () => {
    const module = await compileFiles({
      'main.ts': `import { area, type Shape } from './shape.ts'
        const shape: Shape = { width: 3, height: await Promise.resolve(4) } satisfies Shape
        console.log('area', area(shape), [1, { a: 'b' }])`,
      'shape.ts': `export interface Shape { width: number; height: number }
        export const area = ({ width, height }: Shape): number => width * height`
    })
    assert.deepEqual(await runModule(module), { code: 0, output: 'area 12 [ 1, { a: "b" } ]\n', errors: '' })
  })

  it('reads its arguments and the lines of its input, whole however they come', async () => {
    const run = await runScript(
      `console.log(capsule.args.join('|'))
       for await (const line of capsule.lines()) capsule.write('<' + line + '>')`,
      { args: ['ä', '', 'c d'], stdin: ['on', 'e\ntw\u00f6', '\n\nend'] }
    )
    assert.deepEqual(run, { code: 0, output: 'ä||c d\n<one><twö><><end>', errors: '' })
  })

  it('waits for timers in their order, beside its input', async () => {
    const run = await runScript(
      `const at = (ms: number): Promise<void> => new Promise((done) => setTimeout(() => { console.log(ms); done() }, ms))
       const twice = setInterval(() => { console.log('tick') }, 40)
       clearTimeout(setTimeout(() => console.log('never'), 1))
       await Promise.all([at(90), at(5), at(60)])
       clearInterval(twice)`
    )
    assert.equal(run.code, 0)
    assert.deepEqual(
      run.output.split('\n').filter((line) => line !== 'tick'),
      ['5', '60', '90', '']
    )
    assert.ok(run.output.includes('tick\n'))
  })

  it('ends with the code it sets, or that of how it failed, and says what it threw and where', async () => {
    assert.deepEqual(await runScript(`capsule.exit(3)`), { code: 3, output: '', errors: '' })
    for (const script of [
      `function broken(): void { throw new TypeError('no good') }\nbroken()`,
      `function broken(): void { throw new TypeError('no good') }\nvoid Promise.resolve().then(broken)`,
      `function broken(): void { throw new TypeError('no good') }\nsetTimeout(broken, 1)`
    ]) {
      const run = await runScript(script)
      assert.equal(run.code, 70)
      assert.match(run.errors, /TypeError: no good\n\s+at broken/)
    }
    const stuck = await runScript(`await new Promise(() => {})`)
    assert.equal(stuck.code, 13)
    assert.match(stuck.errors, /can never happen/)
  })

  it('survives its own recursion and a full memory as errors it can catch', async () => {
    const run = await runScript(
      `const deep = (n: number): number => 1 + deep(n + 1)
       try { deep(0) } catch (thrown) { console.log((thrown as Error).name) }
       const held: Uint8Array[] = []
       try { for (;;) held.push(new Uint8Array(1 << 20)) } catch (thrown) { held.length = 0; console.log(String(thrown)) }`,
      { limits: { memoryBytesMax: 16 * 1024 * 1024 } }
    )
    assert.deepEqual(run, { code: 0, output: 'RangeError\nInternalError: out of memory\n', errors: '' })
  })

  it('has chance of its own in every run, though all of them start from one frozen state', async () => {
    const module = await compileScript(
      `console.log(Math.random(), crypto.randomUUID(), crypto.getRandomValues(new Uint8Array(8)).join())`
    )
    const [first, second] = [await runModule(module), await runModule(module)]
    assert.notEqual(first.output, second.output)
    const [fraction, uuid] = first.output.split(' ')
    assert.ok(Number(fraction) >= 0 && Number(fraction) < 1)
    assert.match(uuid ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })

  it('knows the time of its run, not of its build', async () => {
    const before = Date.now()
    const run = await runScript(`console.log(Date.now(), new Date().getTimezoneOffset(), performance.now())`)
    const [now, offset, elapsed] = run.output.split(' ').map(Number)
    assert.ok(now! >= before - 1 && now! <= Date.now(), run.output)
    assert.equal(offset, 0)
    assert.equal(elapsed, 0)
  })

  it('that does not compile says where', async () => {
    await assert.rejects(
      compileFiles({ 'main.ts': 'const a = 1\nlet b: = 2' }),
      (thrown: { detail: string[]; code: string }) => {
        assert.equal(thrown.code, 'ERR_CAPSULE_BUILD')
        assert.match(thrown.detail.join('\n'), /main\.ts:2:7/)
        return true
      }
    )
    await assert.rejects(compileFiles({ 'main.ts': `import fs from 'node:fs'\nfs.rmSync('/')` }), {
      code: 'ERR_CAPSULE_BUILD'
    })
  })
})
