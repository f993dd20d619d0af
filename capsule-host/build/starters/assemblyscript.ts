import type { Starter } from './starter.ts'

/** AssemblyScript: small and quick, for those who know its limits. */
export const assemblyScriptStarter: Starter = {
  source: 'assembly/index.ts',
  note: 'It is AssemblyScript (https://www.assemblyscript.org); nothing needs to be installed to build it.',
  text: (
    name
  ) => `// A capsule: it has its standard streams and nothing else. AssemblyScript, see https://www.assemblyscript.org

const greeting = process.argv.length > 1 ? process.argv[1] : 'world'
console.log('hello, ' + greeting + ', from ${name}')

const buffer = new ArrayBuffer(4096)
for (let length = process.stdin.read(buffer); length > 0; length = process.stdin.read(buffer)) {
  process.stdout.write(buffer.slice(0, length))
}
`
}
