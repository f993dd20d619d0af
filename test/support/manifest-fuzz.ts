import assert from 'node:assert/strict'
import fc from 'fast-check'
import { parseCommandPattern, parseResourcePattern } from '#capability'
import { CAPSULE_LIMIT_CEILINGS, CapsuleError, parseManifest, type CapsuleManifest } from '#capsule-host'
import { ceilingOf, isEmptyCeiling, newInCeiling } from '../../capsule-host/lifecycle/ceiling.ts'
import invalid from '../vectors/capsule-manifest/invalid.json' with { type: 'json' }
import valid from '../vectors/capsule-manifest/valid.json' with { type: 'json' }

/** What every mutant is made from: the vectors, so that each one that is added is fuzzed too. */
const VALID: readonly object[] = valid.map(({ manifest }) => manifest)
const TEXTS: readonly string[] = [
  ...VALID.map((manifest) => JSON.stringify(manifest)),
  ...invalid.map(({ text }) => text)
]

const REASONS = { command: 'localhost/read', resource: 'localhost://notes/*', reason: 'to keep notes' }
/** Every key there is, so that a mutant of a short manifest reaches the long ones too. */
const PARTS: readonly Readonly<Record<string, unknown>>[] = [
  { description: 'keeps notes' },
  { interface: 'mcp' },
  { capabilities: [REASONS, { ...REASONS, command: 'localhost/*', resource: 'localhost://*' }] },
  { requires: [{ contract: 'localhost@1' }, { contract: 'did@1', capsule: 'did:key:z6Mk/notes' }] },
  { provides: ['content@1'] },
  { powers: ['disk'] },
  { files: true },
  { limits: { memoryBytesMax: 1_048_576, openFilesMax: 8 } },
  { build: { language: 'typescript', source: 'main.ts' } }
]

const KEYS = [
  ...['name', 'manifest', 'entry', 'powers', 'files', 'limits', 'reason', 'resource', 'capsule', 'contract'],
  ...['__proto__', 'constructor', 'toString', '', 'na\u006de', 'name\u0000', 'cpuSecondsMax', 'substrate']
]
const TEXT: readonly string[] = [
  ...['', '\u001b[31m', 'a\nb', '\u202egnp.exe', '\ufeff', '\ud800', '\u0085', '\u2028', '\u2067', '\u200f'],
  ...['ｈｅｌｌｏ', 'x'.repeat(300), 'a'.repeat(3_000), 'to keep them', 'e\u0301']
]
/** What is hard about a value, by the key it is under. */
const HARD: Readonly<Record<string, readonly unknown[]>> = {
  name: ['..', 'a/b', 'A', 'a--b', '-a', 'a-', 'ａ', 'a\n', 'a'.repeat(65), 'a.b', '__proto__'],
  version: ['1.0', '01.0.0', '1.0.0-', '1.0.0-01', '1.0.0-a.b+c', '1.0.0\n', `1.0.0-${'a'.repeat(80)}`],
  entry: ['../evil.wasm', '/abs.wasm', 'a//b.wasm', '.hidden.wasm', 'a\\b.wasm', 'a/../b.wasm', 'a.wasm\n'],
  source: ['../main.ts', '/main.ts', 'a/./b.ts', 'a.tsx', 'a.ts\u0000', '.a.ts', `${'a/'.repeat(20)}b.ts`],
  resource: [
    ...[
      'localhost://a/../b',
      'localhost://a/%2e%2e/b',
      'localhost://A',
      'LOCALHOST://a',
      'localhost://a/*/b'
    ],
    ...['localhost://a*', 'localhost:///a', 'localhost://a//b', 'localhost://%61', '*', 'file:///etc/passwd'],
    ...['localhost://a/.', 'localhost://a?b', 'localhost://a#b', `localhost://${'a/'.repeat(600)}b`]
  ],
  command: ['*/*', '*', 'localhost/**', 'localhost/read/x', 'LOCALHOST/read', `localhost/${'a'.repeat(90)}`],
  contract: ['localhost@0', 'localhost@99999', 'localhost', 'localhost@1\n', '@1', 'a@01'],
  capsule: ['did:key:z6Mk/../x', 'did:web:a/b', 'did:key:z6Mk/a/b', '../x', 'a b', 'z'.repeat(600)],
  manifest: [1, 3, '2', 2.5],
  substrate: ['native', 'microvm', 'WASM'],
  ...{ reason: TEXT, description: TEXT, powers: [['Disk'], ['a'.repeat(99)], Array<string>(99).fill('a')] },
  ...{ language: ['python', 'TypeScript'], interface: ['MCP', 'tcp'], files: ['true', 1] },
  ...Object.fromEntries(
    Object.entries<number>({ ...CAPSULE_LIMIT_CEILINGS }).map(([key, most]) => [
      key,
      [most, most + 1, -1, 0.5, '1']
    ])
  )
}
const ODD: readonly unknown[] = [
  ...[null, true, -1, 0, 1.5, 1e308, 2 ** 53, '', [], {}, [[]], '__proto__', { length: 1 }],
  ...['build/hello.wasm', 'localhost/read', 'localhost/*', 'localhost@1', '1.0.0', 'wasm', 'mcp', ...TEXT]
]

const odd = fc.oneof(fc.constantFrom(...ODD), fc.jsonValue({ maxDepth: 2 }), fc.string({ unit: 'grapheme' }))
const edits = fc.oneof(
  fc.record({ pick: fc.nat(), hard: fc.nat() }),
  fc.record({ pick: fc.nat(), to: odd }),
  fc.record({ pick: fc.nat(), key: fc.constantFrom(...KEYS), to: odd }),
  fc.record({ pick: fc.nat(), drop: fc.constant(true) }),
  fc.record({ pick: fc.nat(), again: fc.integer({ min: 1, max: 80 }) })
)
type Edit = typeof edits extends fc.Arbitrary<infer E> ? E : never
type Holder = Record<string | number, unknown>

/** A manifest with its values exchanged, added, left out and repeated. */
const edited: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    fc.constantFrom(...VALID),
    fc.subarray([...PARTS]),
    fc.array(edits, { maxLength: 3 }),
    fc.constantFrom(undefined, 1)
  )
  .map(([base, parts, changes, indent]) => {
    const whole = structuredClone(Object.assign({}, base, ...parts) as Holder)
    for (const change of changes) edit(whole, change)
    return Buffer.from(JSON.stringify(whole, undefined, indent))
  })

const WORDS = [
  ...['"name":"other",', '"na\\u006de":"other",', '"__proto__":{},', ',', '{', '}', '[', ']', '"', '\\', ':'],
  ...['\ufeff', '\u0000', '\ud7ff', '//', '/**/', '1e999', '-0', 'NaN', ' ', '\u00a0', '\\u0000', '\\ud800']
]
const slips = fc.oneof(
  // One key of an object once more, and at times as another spelling of it.
  fc.record({ at: fc.nat(), twice: fc.boolean() }),
  fc.record({ at: fc.nat(), flip: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ at: fc.nat(), remove: fc.nat(30), word: fc.constantFrom('', ...WORDS) }),
  fc.record({ at: fc.nat(), length: fc.nat(80), to: fc.nat() })
)
type Slip = typeof slips extends fc.Arbitrary<infer S> ? S : never

/** Bytes that once were a manifest, or nearly. */
const slipped: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    fc.oneof(
      fc.constantFrom(...TEXTS).map((text) => Buffer.from(text)),
      edited
    ),
    fc.array(slips, { minLength: 1, maxLength: 3 })
  )
  .map(([bytes, changes]) => changes.reduce<Uint8Array>(slip, bytes))

/** Bytes that are a manifest or nearly. */
export const manifestMutants: fc.Arbitrary<Uint8Array> = fc.oneof(edited, slipped)

function edit(whole: Holder, change: Edit): void {
  const places = placesOf(whole)
  const place = places[change.pick % places.length]
  if (place === undefined) return
  const { holder, key } = place
  const value = holder[key]
  if ('hard' in change) {
    const hard = HARD[key] ?? ODD
    holder[key] = structuredClone(hard[change.hard % hard.length])
  } else if ('drop' in change) Reflect.deleteProperty(holder, key)
  else if ('again' in change) {
    if (Array.isArray(value))
      holder[key] = Array.from({ length: change.again }, () => value as unknown[]).flat()
  } else if ('key' in change) {
    const target = typeof value === 'object' && value !== null ? value : whole
    const odd = { value: structuredClone(change.to), writable: true, enumerable: true, configurable: true }
    Object.defineProperty(target, change.key, odd)
  } else holder[key] = structuredClone(change.to)
}

function placesOf(whole: Holder): { holder: Holder; key: string }[] {
  return Object.entries(whole).flatMap(([key, value]) => [
    { holder: whole, key },
    ...(typeof value === 'object' && value !== null ? placesOf(value as Holder) : [])
  ])
}

function slip(bytes: Uint8Array, change: Slip): Uint8Array {
  if ('twice' in change) return repeatKey(bytes, change)
  const at = change.at % (bytes.length + 1)
  if ('flip' in change) return at < bytes.length ? bytes.with(at, (bytes[at] ?? 0) ^ change.flip) : bytes
  if ('word' in change)
    return Buffer.concat([
      bytes.subarray(0, at),
      Buffer.from(change.word),
      bytes.subarray(at + change.remove)
    ])
  const to = change.to % (bytes.length + 1)
  return Buffer.concat([bytes.subarray(0, to), bytes.subarray(at, at + change.length), bytes.subarray(to)])
}

function repeatKey(bytes: Uint8Array, { at, twice }: { at: number; twice: boolean }): Uint8Array {
  const text = Buffer.from(bytes).toString()
  const pairs = [...text.matchAll(/"([a-zA-Z]+)"\s*:\s*("[^"]*"|\d+|true|\[\]|\{\})/g)]
  const pair = pairs[at % pairs.length]
  if (pair === undefined) return bytes
  const [whole, key = '', value = ''] = pair
  const spelled = `\\u${key.charCodeAt(0).toString(16).padStart(4, '0')}${key.slice(1)}`
  const again = `"${twice ? key : spelled}" :${value},`
  return Buffer.from(text.slice(0, pair.index) + again + whole + text.slice(pair.index + whole.length))
}

/**
 * What must hold of any bytes: they are refused with an error of this folder that may stand on a terminal, or they are a
 * manifest of which nothing is beyond what a capsule may say, ask and take, and of which there is one reading.
 */
export function checkManifestBytes(bytes: Uint8Array): 'read' | 'refused' {
  let manifest: CapsuleManifest
  try {
    manifest = parseManifest(bytes)
  } catch (thrown) {
    assert.ok(thrown instanceof CapsuleError, String(thrown))
    assert.match(thrown.code, /^ERR_(?:MANIFEST_(?:INVALID|TOO_LARGE)|SUBSTRATE_UNSUPPORTED)$/)
    assert.ok(isHarmless(thrown.message) && thrown.message.length < 400, JSON.stringify(thrown.message))
    return 'refused'
  }
  assert.ok(bytes.length <= 64 * 1024)
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  assert.equal(repeatedKey(text), undefined, text)
  assert.deepEqual(parseManifest(Buffer.from(JSON.stringify(manifest))), manifest, 'read the same again')
  const said = JSON.parse(text) as Holder
  for (const key of Object.keys(said)) assert.ok(Object.hasOwn(manifest, key), `${key} is known`)
  checkWords(manifest)
  checkCeiling(manifest)
  return 'read'
}

function checkWords({ name, version, description = '', entry, build, limits }: CapsuleManifest): void {
  assert.ok(name.length > 0 && name.length <= 64 && [...name].every((one) => /[a-z0-9-]/.test(one)), name)
  assert.ok(version.length <= 64 && /^\d+\.\d+\.\d+/.test(version), version)
  assert.ok(description.length <= 500 && isHarmless(description), description)
  for (const path of [entry, build?.source ?? entry]) {
    assert.ok(path.length <= 255)
    for (const part of path.split('/')) assert.match(part, /^[A-Za-z0-9_]/, path)
    assert.equal(/[^A-Za-z0-9_./-]/.test(path), false, path)
  }
  for (const [key, value = NaN] of Object.entries(limits)) {
    const ceiling = CAPSULE_LIMIT_CEILINGS[key as keyof typeof CAPSULE_LIMIT_CEILINGS]
    assert.ok(Number.isSafeInteger(value) && value >= 0 && value <= ceiling, `${key} ${String(value)}`)
  }
}

function checkCeiling(manifest: CapsuleManifest): void {
  for (const { command, resource, reason } of manifest.capabilities) {
    assert.equal(parseCommandPattern(command), command)
    assert.equal(parseResourcePattern(resource), resource)
    assert.ok(reason.length > 0 && isHarmless(reason), JSON.stringify(reason))
  }
  const contracts = [...manifest.requires.map(({ contract }) => contract), ...manifest.provides]
  for (const contract of contracts)
    assert.ok(/^[a-z][a-z0-9-]*@\d{1,4}$/.test(contract) && isHarmless(contract))
  for (const { capsule = '' } of manifest.requires)
    assert.ok(!capsule.includes('..') && isHarmless(capsule), capsule)
  const ceiling = ceilingOf(manifest)
  assert.ok(isEmptyCeiling(newInCeiling(ceiling, ceiling)), 'nothing is new in an update to the same')
}

/** Whether a terminal does nothing but show it. Deliberately not the expression that is tested. */
function isHarmless(text: string): boolean {
  if (!text.isWellFormed()) return false
  return [...text].every((one) => {
    const point = one.codePointAt(0) ?? 0
    const isControl = point < 0x20 || (point >= 0x7f && point < 0xa0)
    const isDirection =
      point === 0x61c || (point >= 0x200e && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e)
    return !isControl && !isDirection && !(point >= 0x2066 && point <= 0x2069) && point !== 0xfeff
  })
}

/** A key that some object of a JSON text has twice: read token by token, as no reader of ours does. */
function repeatedKey(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = []
  let last: string | undefined
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:,]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(undefined)
    else if (token === '}' || token === ']') open.pop()
    else if (token === ':') {
      const key = JSON.parse(last ?? '""') as string
      if (open.at(-1)?.has(key) === true) return key
      open.at(-1)?.add(key)
    } else if (token !== ',') last = token
  }
  return undefined
}
