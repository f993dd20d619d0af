import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { generatedDocuments } from './generated.ts'
import { projectFiles } from './project-files.ts'
import { ROOT, undocumentedExports } from './sources.ts'

/** What is wrong, and where: `path:line: sentence`. */
export type Finding = string

const SOURCE_LINES_MAX = 400
const SOURCE = /\.(ts|js|sh)$/
const DATA = /^(package-lock\.json|test\/vectors\/|LICENSE)/
/** Paths of one machine, put together here so that this file does not hold them. */
const MACHINE_PATH = new RegExp(
  `(^|[^A-Za-z0-9._-])/(${['work', 'farm', 'root', 'tmp/plan'].join('|')})/[a-z.]`
)
const CODE_BLOCK = /^```[^]*?^```$/gm

/** Runs every check of the documents and of what no other tool looks at. */
export async function findProblems(): Promise<Finding[]> {
  const files = projectFiles()
  const texts = new Map(files.filter((path) => !DATA.test(path)).map((path) => [path, readText(path)]))
  const documents = [...texts].filter(([path]) => path.endsWith('.md'))
  return [
    ...[...texts].flatMap(([path, text]) => [...tooLong(path, text), ...machinePaths(path, text)]),
    ...documents.flatMap(([path, text]) => deadLinks(path, text)),
    ...undocumentedExports(),
    ...missingParts('docs/ARCHITECTURE.md', texts.get('docs/ARCHITECTURE.md') ?? ''),
    ...(await staleTables())
  ]
}

function tooLong(path: string, text: string): Finding[] {
  const lines = text.split('\n').length - 1
  if (!SOURCE.test(path) || lines <= SOURCE_LINES_MAX) return []
  return [`${path}:1: expected at most ${SOURCE_LINES_MAX} lines, found ${lines}`]
}

function machinePaths(path: string, text: string): Finding[] {
  return text
    .split('\n')
    .flatMap((line, at) =>
      MACHINE_PATH.test(line) ? [`${path}:${at + 1}: a path of one machine: ${line.trim()}`] : []
    )
}

/** Links of a document to files that do not exist, or to headings that their file does not have. */
export function deadLinks(path: string, text: string): Finding[] {
  const prose = text.replace(CODE_BLOCK, (block) => block.replace(/[^\n]/g, ''))
  return prose.split('\n').flatMap((line, at) =>
    [...line.matchAll(/\]\((?<target>[^)\s]+)\)/g)].flatMap((match) => {
      const [target = '', anchor] = (match.groups?.['target'] ?? '').split('#')
      if (/^[a-z]+:/.test(target)) return []
      const file = target === '' ? path : normalize(join(dirname(path), target))
      if (!existsSync(join(ROOT, file))) return [`${path}:${at + 1}: no such file: ${target}`]
      if (anchor === undefined || !file.endsWith('.md') || headings(readText(file)).has(anchor)) return []
      return [`${path}:${at + 1}: no such heading: ${target}#${anchor}`]
    })
  )
}

function headings(text: string): Set<string> {
  const prose = text.replace(CODE_BLOCK, '')
  return new Set(
    [...prose.matchAll(/^#+ (?<title>.+)$/gm)].map((match) =>
      (match.groups?.['title'] ?? '')
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-')
    )
  )
}

/** Files and folders that the map names in backticks and that are not there. */
export function missingParts(path: string, text: string): Finding[] {
  return text.split('\n').flatMap((line, at) =>
    [...line.matchAll(/`(?<part>[a-z][a-z0-9-]*(?:\/[a-z0-9.-]+)*(?:\/|\.ts|\.js|\.md))`/g)].flatMap(
      (match) => {
        const part = match.groups?.['part'] ?? ''
        // A name without a folder is a kind of file ("powers.ts"); a data folder of the user ends in a slash.
        if (!part.includes('/') || part.endsWith('/') || existsSync(join(ROOT, part))) return []
        return [`${path}:${at + 1}: nothing is at ${part}`]
      }
    )
  )
}

async function staleTables(): Promise<Finding[]> {
  const documents = await generatedDocuments()
  return documents
    .filter(({ now, wanted }) => now !== wanted)
    .map(({ path }) => `${path}:1: its generated tables are not those of the sources: npm run docs`)
}

function readText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}
