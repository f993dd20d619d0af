import { existsSync } from 'node:fs'
import { LAYERS } from './scripts/layers.js'

const frontDoors = LAYERS.map(({ folder }) => `${folder}/index.ts`)

/** Only checks, unless asked for pages: every export of a front door is documented, every link leads somewhere. */
const configuration = {
  entryPoints: frontDoors.filter((path) => existsSync(new URL(path, import.meta.url))),
  out: 'dist/docs',
  tsconfig: 'tsconfig.json',
  skipErrorChecking: true,
  excludeInternal: true,
  excludeExternals: true,
  readme: 'none',
  disableSources: true,
  validation: { notExported: false, invalidLink: true, notDocumented: true },
  requiredToBeDocumented: ['Variable', 'Function', 'Class', 'Interface', 'TypeAlias'],
  treatWarningsAsErrors: true,
  treatValidationWarningsAsErrors: true,
  logLevel: 'Warn'
}

export default configuration
