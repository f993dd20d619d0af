import { LAYERS } from './scripts/layers.js'

/** A folder imports itself, the folders of its row, packages, and nothing else. */
const layerRules = LAYERS.flatMap(({ folder, mayImport, mayImportTypesOf = [] }) => [
  { ...layerRule(folder, mayImport, { dependencyTypesNot: ['type-only'] }), name: `layer-${nameOf(folder)}` },
  { ...layerRule(folder, [...mayImport, ...mayImportTypesOf], {}), name: `layer-${nameOf(folder)}-types` }
])

/**
 * @param {string} folder
 * @param {readonly string[]} allowed
 * @param {object} restriction
 * @returns {import('dependency-cruiser').IForbiddenRuleType}
 */
function layerRule(folder, allowed, restriction) {
  const may = ['node_modules', '^package\\.json$', ...[folder, ...allowed].map((to) => `^${to}/`)]
  return {
    comment: `${folder} may import: ${allowed.join(', ') || 'no other folder'}`,
    severity: 'error',
    from: { path: `^${folder}/` },
    to: { path: '\\.(ts|js|json)$', pathNot: may, ...restriction }
  }
}

/** @param {string} folder */
function nameOf(folder) {
  return folder.replaceAll('/', '-')
}

/**
 * A folder is entered through its index.ts only; contracts has two doors more: `#providers`, which loads schemas, and
 * `#capsule-channel`, which loads nothing and so serves capsules too.
 */
const frontDoorRules = LAYERS.map(({ folder }) => ({
  name: `front-door-${nameOf(folder)}`,
  comment: `import ${folder} as '#${folder.split('/').at(-1)}', not a file inside it`,
  severity: 'error',
  from: { path: `^(${LAYERS.map((layer) => layer.folder).join('|')})/`, pathNot: `^${folder}/` },
  to: { path: `^${folder}/`, pathNot: `^${folder}/((providers/)?index|capsule-channel)\\.ts$` }
}))

/** @satisfies {import('dependency-cruiser').IConfiguration} */
const configuration = {
  forbidden: [
    ...layerRules,
    ...frontDoorRules,
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only', 'dynamic-import'] } }
    },
    {
      name: 'pure-capsules',
      comment: 'a capsule has no Node API: its logic runs inside the sandbox one day',
      severity: 'error',
      from: { path: '^capsules/' },
      to: { dependencyTypes: ['core'] }
    },
    {
      name: 'no-test-in-product',
      severity: 'error',
      from: { path: `^(${LAYERS.map((layer) => layer.folder).join('|')})/` },
      to: { path: '^(test|bench|scripts)/' }
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '\\.mjs$' } }
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage|capsule-host/templates)/' },
    tsPreCompilationDeps: true,
    detectProcessBuiltinModuleCalls: true,
    enhancedResolveOptions: {
      conditionNames: ['types', 'import', 'node', 'default'],
      exportsFields: ['exports']
    },
    cache: { folder: 'node_modules/.cache/dependency-cruiser', strategy: 'content' }
  }
}

export default configuration
