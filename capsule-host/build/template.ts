import { MANIFEST_PATH, MANIFEST_VERSION } from '../constants.ts'

/** One file of a new capsule. */
export interface TemplateFile {
  readonly path: string
  readonly text: string
}

/** Where the sources of an AssemblyScript capsule start. */
export const TEMPLATE_SOURCE = 'assembly/index.ts'

/** The files of a new capsule in AssemblyScript that greets and echoes. `name` was checked by the manifest's rules. */
export function templateFiles(name: string): TemplateFile[] {
  const manifest = {
    manifest: MANIFEST_VERSION,
    name,
    version: '0.1.0',
    description: 'Says hello and repeats what it is told.',
    substrate: 'wasm',
    entry: `build/${name}.wasm`,
    build: { language: 'assemblyscript', source: TEMPLATE_SOURCE }
  }
  return [
    { path: MANIFEST_PATH, text: `${JSON.stringify(manifest, null, 2)}\n` },
    { path: TEMPLATE_SOURCE, text: sourceText(name) },
    { path: 'README.md', text: readmeText(name) }
  ]
}

function sourceText(name: string): string {
  return `// A capsule: it has its standard streams and nothing else. AssemblyScript, see https://www.assemblyscript.org

const greeting = process.argv.length > 1 ? process.argv[1] : 'world'
console.log('hello, ' + greeting + ', from ${name}')

const buffer = new ArrayBuffer(4096)
for (let length = process.stdin.read(buffer); length > 0; length = process.stdin.read(buffer)) {
  process.stdout.write(buffer.slice(0, length))
}
`
}

function readmeText(name: string): string {
  return `# ${name}

    elastos capsule build ./${name}
    elastos capsule run ./${name} --dev
    elastos capsule publish ./${name}

\`assembly/index.ts\` is the program, in AssemblyScript; nothing needs to be installed to build it. \`capsule.json\` says
what it is called, its version and its limits. Another language that compiles to wasm32-wasip1 works too: take
\`build\` out of \`capsule.json\` and put the module where \`entry\` says.
`
}
