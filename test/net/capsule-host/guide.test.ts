import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import ts from 'typescript'
import { parseManifest } from '#capsule-host'
import { ROOT } from '../../support/cli.ts'
import { compileFiles } from '../../support/script-capsule.ts'

/** The blocks of the guide for authors in one language. */
async function blocks(language: string): Promise<string[]> {
  const text = await readFile(join(ROOT, 'docs', 'CAPSULES.md'), 'utf8')
  return Array.from(
    text.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'gm')),
    (match) => match[1]!
  )
}

/** What the type checker says of `sources`, as an author's editor would. */
function problemsOf(sources: readonly string[]): string[] {
  const names = sources.map((_, index) => join(ROOT, `guide-${index}.mts`))
  const options: ts.CompilerOptions = {
    ...{ strict: true, noEmit: true, skipLibCheck: true, allowImportingTsExtensions: true },
    target: ts.ScriptTarget.ESNext,
    module: ts.ModuleKind.Preserve,
    lib: ['lib.esnext.d.ts', 'lib.dom.d.ts'],
    types: ['node'],
    paths: { 'elastos/sdk': [join(ROOT, 'sdk', 'index.ts')] }
  }
  const host = ts.createCompilerHost(options)
  const { readFile: read, fileExists } = host
  host.readFile = (path) => sources[names.indexOf(path)] ?? read(path)
  host.fileExists = (path) => names.includes(path) || fileExists(path)
  const { getSourceFile } = host
  host.getSourceFile = (path, target) => {
    const text = sources[names.indexOf(path)]
    return text === undefined ? getSourceFile(path, target) : ts.createSourceFile(path, text, target, true)
  }
  const program = ts.createProgram(names, options, host)
  return names.flatMap((name) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(name))
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
  )
}

describe('the guide for authors of capsules', () => {
  it('shows programs that compile, with types that fit', async function () {
    this.timeout(120_000)
    const sources = await blocks('ts')
    assert.ok(sources.length >= 4)
    for (const source of sources) assert.ok((await compileFiles({ 'main.ts': source })).byteLength > 0)
    assert.deepEqual(problemsOf(sources), [])
    const [first = ''] = sources
    assert.notDeepEqual(problemsOf([first.replace('data: btoa(line)', 'dta: 1')]), [], 'types are looked at')
  })

  it('shows a manifest that is one', async () => {
    const manifests = await blocks('json')
    assert.ok(manifests.length > 0)
    for (const manifest of manifests) parseManifest(Buffer.from(manifest))
  })
})
