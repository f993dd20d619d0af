import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import ts from 'typescript'
import { productSources } from './stamp.js'

/** `isolatedDeclarations` lets each file be emitted alone: nothing is resolved, nothing is checked here. */
const OPTIONS = {
  declaration: true,
  emitDeclarationOnly: true,
  isolatedDeclarations: true,
  noResolve: true,
  noCheck: true,
  target: ts.ScriptTarget.ESNext,
  module: ts.ModuleKind.NodeNext,
  lib: ['lib.esnext.d.ts', 'lib.dom.d.ts'],
  types: [],
  allowImportingTsExtensions: true
}

/**
 * The types of the embedding API: one declaration file a source below `types/`, and `index.d.ts`, which re-exports
 * the front door of `node`.
 *
 * @param {string} root
 * @returns {import('./output.js').OutputFile[]}
 */
export function declarations(root) {
  if (!existsSync(join(root, 'node', 'index.ts'))) return []
  /** @type {{ imports: Record<string, string> }} */
  const { imports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const sources = productSources(root).map((path) => join(root, path))
  /** @type {import('./output.js').OutputFile[]} */
  const files = [{ path: 'index.d.ts', contents: `export * from './types/node/index.js'\n` }]
  const options = { ...OPTIONS, rootDir: root, outDir: root }
  ts.createProgram(sources, options).emit(undefined, (file, text) => {
    const path = relative(root, file)
    files.push({ path: `types/${path}`, contents: withFileImports(path, text, imports) })
  })
  return files
}

/**
 * Replaces what only our own tsconfig and package.json resolve: `#folder` and `.ts` in relative imports.
 *
 * @param {string} path
 * @param {string} text
 * @param {Record<string, string>} imports
 */
function withFileImports(path, text, imports) {
  return text.replace(/(?<=(?:from|import)\s*\(?\s*['"])[^'"]+(?=['"])/g, (specifier) => {
    const target = imports[specifier]
    if (target === undefined) return specifier.startsWith('.') ? specifier.replace(/\.ts$/, '.js') : specifier
    const sibling = relative(dirname(path), target).replace(/\.ts$/, '.js')
    return sibling.startsWith('.') ? sibling : `./${sibling}`
  })
}
