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
  // Functions are looked at by scripts/docs: typedoc would ask for every method and callback as well.
  requiredToBeDocumented: ['Variable', 'Class', 'Interface', 'TypeAlias'],
  treatWarningsAsErrors: true,
  treatValidationWarningsAsErrors: true,
  logLevel: 'Warn'
}

export default configuration
