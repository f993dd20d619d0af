import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { productSources } from '../build/stamp.js'
import { LAYERS } from '../layers.js'

/** The checkout. */
export const ROOT = join(import.meta.dirname, '..', '..')

/** An error code as its `errors.ts` declares it. */
export interface ErrorCode {
  readonly code: string
  readonly folder: string
  /** What its own comment, or else the comment of its group, says. */
  readonly about: string
}

/** A named bound as its `constants.ts` declares it. */
export interface Limit {
  readonly name: string
  readonly folder: string
  readonly value: string
  readonly about: string
}

/** Every error code of the product, once a folder, in the order of the sources. */
export function readErrorCodes(): ErrorCode[] {
  const found = new Map<string, ErrorCode>()
  for (const code of declaredCodes())
    if (!found.has(`${code.folder} ${code.code}`)) found.set(`${code.folder} ${code.code}`, code)
  return [...found.values()]
}

function declaredCodes(): ErrorCode[] {
  return sourcesNamed('errors.ts').flatMap(({ folder, source }) => {
    // Interfaces and classes mention codes too; only unions of literals declare them.
    const groups = source.statements.filter((statement) => ts.isTypeAliasDeclaration(statement))
    return groups.flatMap((group) => {
      const members = ts.isUnionTypeNode(group.type) ? group.type.types : [group.type]
      let end = group.type.getFullStart()
      return members.flatMap((member): ErrorCode[] => {
        // A comment stands before the bar, so it belongs to no member for the parser: look between them.
        const about = lastComment(source.text.slice(end, member.getStart(source))) || commentOf(group, source)
        end = member.end
        if (!ts.isLiteralTypeNode(member) || !ts.isStringLiteral(member.literal)) return []
        return member.literal.text.startsWith('ERR_') ? [{ code: member.literal.text, folder, about }] : []
      })
    })
  })
}

/** Every exported bound of a `constants.ts`, by folder, in the order of the sources. */
export function readLimits(): Limit[] {
  return sourcesNamed('constants.ts').flatMap(({ folder, source }) =>
    source.statements
      .filter((statement) => ts.isVariableStatement(statement))
      .filter((statement) => statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword))
      .flatMap((statement) =>
        statement.declarationList.declarations.map((declaration) => ({
          name: declaration.name.getText(source),
          folder,
          value: oneLine(declaration.initializer?.getText(source) ?? ''),
          about: commentOf(statement, source)
        }))
      )
  )
}

/** Exports of the product's sources that no TSDoc comment explains. */
export function undocumentedExports(): string[] {
  return productSources(ROOT).flatMap((path) => undocumentedIn(path, readFileSync(join(ROOT, path), 'utf8')))
}

/** Exports of one source that no TSDoc comment explains: `path:line: what it says`. */
export function undocumentedIn(path: string, text: string): string[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest)
  return source.statements
    .filter((statement) => isExportedDeclaration(statement))
    .filter((statement) => !leadingText(statement, source).includes('/**'))
    .map((statement) => {
      const { line } = source.getLineAndCharacterOfPosition(statement.getStart(source))
      const start = oneLine(statement.getText(source)).slice(0, 60)
      return `${path}:${line + 1}: an export without a comment: ${start}`
    })
}

function isExportedDeclaration(statement: ts.Statement): boolean {
  if (!ts.canHaveModifiers(statement)) return false
  return ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true
}

function leadingText(node: ts.Node, source: ts.SourceFile): string {
  return source.text.slice(node.getFullStart(), node.getStart(source))
}

function parse(path: string): ts.SourceFile {
  return ts.createSourceFile(path, readFileSync(join(ROOT, path), 'utf8'), ts.ScriptTarget.Latest)
}

function sourcesNamed(name: string): { folder: string; source: ts.SourceFile }[] {
  const paths = productSources(ROOT).filter((path) => path.endsWith(`/${name}`))
  return LAYERS.flatMap(({ folder }) =>
    paths.filter((path) => path.startsWith(`${folder}/`)).map((path) => ({ folder, source: parse(path) }))
  )
}

/** The first paragraph of the comment right before a declaration, without its marks. */
function commentOf(node: ts.Node, source: ts.SourceFile): string {
  return lastComment(leadingText(node, source))
}

function lastComment(text: string): string {
  const comment = text.match(/\/\*\*[^]*?\*\/|\/\/[^\n]*/g)?.at(-1) ?? ''
  const plain = comment
    .replace(/^\/\*\*|\*\/$|^\/\//g, '')
    .replace(/^\s*\* ?/gm, '')
    .replace(/\{@link\s+([^}|]+)(\|[^}]*)?\}/g, '$1')
  return oneLine(plain.trim().split(/\n\s*(?:@|\n)/)[0] ?? '')
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
