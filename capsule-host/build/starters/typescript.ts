import type { Starter } from './starter.ts'

/** For editors alone: the build reads no configuration. */
const EDITOR_SETTINGS = {
  compilerOptions: {
    ...{ target: 'esnext', module: 'preserve', strict: true, noEmit: true },
    ...{ allowImportingTsExtensions: true, lib: ['esnext', 'dom'], types: [] }
  }
}

/** TypeScript: all of the language and the SDK, on an engine inside the capsule. */
export const typeScriptStarter: Starter = {
  source: 'src/main.ts',
  more: () => ({ 'tsconfig.json': `${JSON.stringify(EDITOR_SETTINGS, null, 2)}\n` }),
  note: 'It is TypeScript on an engine of its own inside the capsule; nothing needs to be installed to build it.',
  text: (
    name
  ) => `// A capsule: it has its standard streams, and on its channel what it was allowed. There is no Node and no browser.
import { capsule } from 'elastos/sdk'

const [greeting = 'world'] = capsule.args
console.log(\`hello, \${greeting}, from ${name}\`)

for await (const line of capsule.lines()) console.log(line)
`
}
