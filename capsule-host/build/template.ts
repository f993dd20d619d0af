import { MANIFEST_PATH, MANIFEST_VERSION, PACKAGE_LIST_PATH } from '../constants.ts'
import type { CapsuleLanguage } from '../manifest.ts'
import { assemblyScriptStarter } from './starters/assemblyscript.ts'
import { cStarter } from './starters/c.ts'
import { goStarter } from './starters/go.ts'
import { rustStarter } from './starters/rust.ts'
import { machineReadme, machineScript } from './starters/machine.ts'
import type { Starter } from './starters/starter.ts'
import { typeScriptStarter } from './starters/typescript.ts'

/** One file of a new capsule. */
export interface TemplateFile {
  readonly path: string
  readonly text: string
}

const STARTERS: Readonly<Record<CapsuleLanguage, Starter>> = {
  assemblyscript: assemblyScriptStarter,
  typescript: typeScriptStarter,
  c: cStarter,
  rust: rustStarter,
  go: goStarter
}

/** Languages a new capsule can start in, the one it starts in unless told first. */
export const CAPSULE_LANGUAGES: readonly CapsuleLanguage[] = [
  'typescript',
  'assemblyscript',
  'c',
  'rust',
  'go'
]

/** What a new capsule can run on. */
export type CapsuleType = 'wasm' | 'microvm'

/** Every {@link CapsuleType}, the one a new capsule is of unless told first. */
export const CAPSULE_TYPES: readonly CapsuleType[] = ['wasm', 'microvm']

/** Whether a text names one of {@link CAPSULE_LANGUAGES}. */
export function isCapsuleLanguage(text: string): text is CapsuleLanguage {
  return Object.hasOwn(STARTERS, text)
}

/** The files of a new capsule that greets and echoes. `name` was checked by the manifest's rules. */
export function templateFiles(name: string, language: CapsuleLanguage): TemplateFile[] {
  const starter = STARTERS[language]
  const manifest = {
    manifest: MANIFEST_VERSION,
    name,
    version: '0.1.0',
    description: 'Says hello and repeats what it is told.',
    substrate: 'wasm',
    entry: `build/${name}.wasm`,
    build: { language, source: starter.source }
  }
  const more = Object.entries(starter.more?.(name) ?? {}).map(([path, text]) => ({ path, text }))
  return [
    { path: MANIFEST_PATH, text: `${JSON.stringify(manifest, null, 2)}\n` },
    { path: starter.source, text: starter.text(name) },
    ...more,
    { path: 'README.md', text: readmeText(name, starter) }
  ]
}

/** The files of a new capsule for a microVM that greets and echoes, without a compiler: a script, and a shell from a package. */
export function machineTemplateFiles(name: string): TemplateFile[] {
  const manifest = {
    manifest: MANIFEST_VERSION,
    name,
    version: '0.1.0',
    description: 'Says hello and repeats what it is told.',
    substrate: 'microvm',
    entry: `build/${name}.erofs`,
    image: 'root',
    program: ['/bin/busybox', 'sh', '/main.sh']
  }
  const list = { version: 1, packages: ['busybox-static'] }
  return [
    { path: MANIFEST_PATH, text: `${JSON.stringify(manifest, null, 2)}\n` },
    { path: PACKAGE_LIST_PATH, text: `${JSON.stringify(list, null, 2)}\n` },
    { path: 'root/main.sh', text: machineScript(name) },
    { path: 'README.md', text: machineReadme(name) }
  ]
}

function readmeText(name: string, { source, note }: Starter): string {
  return `# ${name}

    elastos capsule dev ./${name}
    elastos capsule run ./${name} --dev
    elastos capsule publish ./${name}

\`${source}\` is the program. ${note}

\`capsule.json\` says what it is called, its version, its limits and what it may ever ask for. Another language that compiles to
wasm32-wasip1 works too: take \`build\` out of \`capsule.json\` and put the module where \`entry\` says.
`
}
