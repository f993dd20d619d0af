import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import ts from 'typescript'
import { productSources } from './stamp.js'

/**
 * The types of the embedding API: one declaration file a source (`isolatedDeclarations` makes that a matter of
 * each file alone) below `types/`, and `index.d.ts`, which re-exports the front door of `node`.
 *
 * @param {string} root
 * @returns {import('./output.js').OutputFile[]}
 */
export function declarations(root) {
  if (!existsSync(join(root, 'node', 'index.ts'))) return []
  /** @type {{ imports: Record<string, string> }} */
  const { imports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const files = productSources(root).map((path) => ({
    path: `types/${path.replace(/\.ts$/, '.d.ts')}`,
    contents: withFileImports(path, declarationOf(join(root, path)), imports)
  }))
  return [...files, { path: 'index.d.ts', contents: `export * from './types/node/index.js'\n` }]
}

/** @param {string} file */
function declarationOf(file) {
  const { outputText } = ts.transpileDeclaration(readFileSync(file, 'utf8'), {
    fileName: file,
    compilerOptions: {
      isolatedDeclarations: true,
      target: ts.ScriptTarget.ESNext,
      module: ts.ModuleKind.NodeNext
    }
  })
  return outputText
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
