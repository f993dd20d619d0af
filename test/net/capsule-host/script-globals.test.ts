import assert from 'node:assert/strict'
import fc from 'fast-check'
import { compileScript, runModule, runScript } from '../../support/script-capsule.ts'

/** Decodes each base64 line of its input in every way and answers what came out, as JSON. */
const CODEC = `
const bytesOf = (text: string): Uint8Array => Uint8Array.from(atob(text), (unit) => unit.charCodeAt(0))
const attempt = (act: () => unknown): unknown => { try { return act() } catch (thrown) { return (thrown as Error).name } }
for await (const line of capsule.lines()) {
  const bytes = bytesOf(line)
  const streamed = new TextDecoder()
  let text = ''
  for (let at = 0; at < bytes.length; at++) text += streamed.decode(bytes.subarray(at, at + 1), { stream: true })
  text += streamed.decode()
  const units = (value: unknown): unknown => typeof value === 'string' ? Array.from(value, (c) => c.codePointAt(0)) : value
  console.log(JSON.stringify({
    lenient: units(new TextDecoder().decode(bytes)),
    marked: units(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)),
    fatal: attempt(() => units(new TextDecoder('utf8', { fatal: true }).decode(bytes))),
    streamed: units(text)
  }))
}`

function expected(bytes: Uint8Array): unknown {
  const units = (text: string): unknown => Array.from(text, (c) => c.codePointAt(0))
  let fatal: unknown
  try {
    fatal = units(new TextDecoder('utf8', { fatal: true }).decode(bytes))
  } catch (thrown) {
    fatal = (thrown as Error).name
  }
  return {
    lenient: units(new TextDecoder().decode(bytes)),
    marked: units(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)),
    fatal,
    streamed: units(new TextDecoder().decode(bytes))
  }
}

/** Bytes that are nearly UTF-8: what decoders disagree about. */
const nearlyUtf8 = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary' }).map((text) => [...new TextEncoder().encode(text)]),
      fc.constantFrom(
        [0xef, 0xbb, 0xbf],
        [0xed, 0xa0, 0x80],
        [0xc0, 0x80],
        [0xe0, 0x80, 0x80],
        [0xf4, 0x90, 0x80, 0x80],
        [0xf0, 0x9f, 0x98],
        [0xe2, 0x82],
        [0xff],
        [0x80]
      ),
      fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 4 })
    ),
    { maxLength: 6 }
  )
  .map((parts) => Uint8Array.from(parts.flat()))

describe('what scripts in a capsule find around them', () => {
  it('decodes text as the Encoding Standard has it, whole and in pieces', async () => {
    const samples = fc.sample(nearlyUtf8, { numRuns: 400, seed: 7 })
    const stdin = samples.map((bytes) => `${Buffer.from(bytes).toString('base64')}\n`)
    const run = await runScript(CODEC, { stdin })
    assert.equal(run.code, 0, run.errors)
    const lines = run.output.trim().split('\n')
    assert.equal(lines.length, samples.length)
    samples.forEach((bytes, index) => {
      assert.deepEqual(JSON.parse(lines[index]!), expected(bytes), Buffer.from(bytes).toString('hex'))
    })
  })

  it('encodes text as the Encoding Standard has it', async () => {
    const run = await runScript(
      `const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')
       const text = new TextEncoder()
       for (const each of ['', 'aä€😀', 'a\\ud800b', '\\udc00', '\\0']) console.log(hex(text.encode(each)))
       const target = new Uint8Array(5)
       console.log(JSON.stringify(text.encodeInto('a€😀', target)), hex(target))`
    )
    const hex = (text: string): string => Buffer.from(new TextEncoder().encode(text)).toString('hex')
    assert.deepEqual(run.output.trimEnd().split('\n'), [
      ...['', 'aä€😀', 'a\ud800b', '\udc00', '\0'].map(hex),
      '{"read":2,"written":4} 61e282ac00'
    ])
  })

  it('aborts what waits, once, with its reason', async () => {
    const run = await runScript(
      `const controller = new AbortController()
       const seen: string[] = []
       controller.signal.addEventListener('abort', () => seen.push('a'), { once: true })
       controller.signal.onabort = () => seen.push('b')
       const any = AbortSignal.any([controller.signal, AbortSignal.timeout(60_000)])
       controller.abort(new Error('why'))
       controller.abort(new Error('again'))
       console.log(seen.join(), any.aborted, (any.reason as Error).message)
       try { AbortSignal.abort().throwIfAborted() } catch (thrown) { console.log((thrown as Error).name) }
       const late = AbortSignal.timeout(5)
       await new Promise<void>((done) => late.addEventListener('abort', () => done()))
       console.log((late.reason as Error).name)
       capsule.exit(0)`
    )
    assert.equal(run.output, 'b,a true why\nAbortError\nTimeoutError\n', run.errors)
  })

  it('shows values as a person reads them, and none without end', async () => {
    const run = await runScript(
      `const circle: Record<string, unknown> = { name: 'c' }
       circle.self = circle
       console.log('text', 1, -0.5, null, undefined, true, 10n, Symbol('s'), () => 1)
       console.log(circle, new Map([['a', [1]]]), new Set([1]), new Uint8Array(2), new Date(0), [])
       console.log(Array.from({ length: 200 }, (_, i) => i).length, [[[[[['deep']]]]]])
       console.warn('to errors')`
    )
    assert.deepEqual(run.output.split('\n').slice(0, 3), [
      'text 1 -0.5 null undefined true 10n Symbol(s) [function ]',
      '{ name: "c", self: [circular] } Map { "a": [ 1 ] } Set { 1 } Uint8Array(2) [ 0, 0 ] 1970-01-01T00:00:00.000Z []',
      '200 [ [ [ [ […] ] ] ] ]'
    ])
    assert.equal(run.errors, 'to errors\n')
  })

  it('is nothing of the runtime’s: no address, no raw call, no engine of the host', async () => {
    const run = await runScript(
      `const names = Object.getOwnPropertyNames(globalThis)
       console.log(names.filter((name) => /^(std|os|scriptArgs|process|require|fetch|raw|__|fd_|wasi|WebAssembly|install|globals)/.test(name)).join())
       const { system } = (globalThis as any)[Symbol.for('elastos.system')]
       console.log(Object.keys(system).toSorted().join())
       console.log(await import('fs' as string).then(() => 'loaded', () => 'no module'))`
    )
    assert.deepEqual(run.output.split('\n'), [
      '',
      'args,exit,fillRandom,monotonicMs,nowMs,read,wait,write',
      'no module',
      ''
    ])
  })

  it('keeps its order under load: a timer that is always due starves no input', async () => {
    const module = await compileScript(
      `let ticks = 0
       const timer = setInterval(() => { const end = Date.now() + 3; while (Date.now() < end); ticks++ }, 1)
       let lines = 0
       for await (const _ of capsule.lines()) lines++
       clearInterval(timer)
       console.log(lines, ticks > 0)`
    )
    const run = await runModule(module, { stdin: Array.from({ length: 50 }, (_, index) => `${index}\n`) })
    assert.equal(run.output, '50 true\n')
  })
})
