import eslint from '@eslint/js'
import { defineConfig } from 'eslint/config'
import tseslint from 'typescript-eslint'

/** Where the operating system, time and chance may be touched: the powers of a folder, and programs. */
const POWERS = ['**/powers.ts', '**/powers/*.ts', '**/main.ts', '**/*-main.ts']
/** Programs around the product, which nobody simulates. */
const PROGRAMS = ['test/**', 'bench/**', 'scripts/**', '*.js', '.*.js']

const SYSTEM_MODULES = [
  'fs',
  'fs/promises',
  'net',
  'tls',
  'dgram',
  'http',
  'https',
  'child_process',
  'process',
  'os'
]
const TIME_MODULES = ['timers', 'timers/promises', 'worker_threads']
const CHANCE = [
  'randomBytes',
  'randomUUID',
  'randomInt',
  'randomFill',
  'randomFillSync',
  'getRandomValues',
  'webcrypto'
]
const HANDED_IN = 'is handed in: see contracts (Clock, Random) and the powers.ts of the folder'

const restrictedGlobals = ['setTimeout', 'setInterval', 'setImmediate', 'process', 'fetch', 'WebSocket'].map(
  (name) => ({
    name,
    message: `${name} ${HANDED_IN}`
  })
)
const restrictedProperties = [
  ['Date', 'now'],
  ['Math', 'random'],
  ['performance', 'now'],
  ['AbortSignal', 'timeout'],
  ['crypto', 'getRandomValues'],
  ['crypto', 'randomUUID']
].map(([object, property]) => ({ object, property, message: `${object}.${property} ${HANDED_IN}` }))
const restrictedImports = {
  paths: [
    ...[...SYSTEM_MODULES, ...TIME_MODULES].flatMap((name) => [
      { name: `node:${name}`, allowTypeImports: true, message: HANDED_IN },
      { name, message: HANDED_IN }
    ]),
    { name: 'node:crypto', importNames: CHANCE, message: HANDED_IN },
    { name: 'crypto', message: 'write node:crypto' }
  ]
}
const restrictedSyntax = [
  { selector: 'ExportDefaultDeclaration', message: 'name every export' },
  { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: `the time ${HANDED_IN}` }
]

const sizes = {
  'max-lines': ['error', 400],
  'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
  '@typescript-eslint/max-params': ['error', { max: 3 }],
  complexity: ['error', 20],
  'max-depth': ['error', 4]
}

const typed = {
  '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
  '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
  '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
  '@typescript-eslint/no-confusing-void-expression': [
    'error',
    { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true }
  ],
  // TypeScript keeps a flag narrowed across an await or a callback that changes it; this rule believes it.
  '@typescript-eslint/no-unnecessary-condition': 'off',
  // Our objects are closures: a method taken off one has no `this` to lose.
  '@typescript-eslint/unbound-method': 'off',
  // `PromiseWithResolvers<void> | undefined` and the like say what is meant.
  '@typescript-eslint/no-invalid-void-type': 'off',
  // Code points are what a text limit counts.
  '@typescript-eslint/no-misused-spread': ['error', { allow: ['string'] }],
  '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
  // The reason of an AbortSignal is `any`, and throwing it on is how a cancellation ends.
  '@typescript-eslint/only-throw-error': ['error', { allowThrowingAny: true, allowThrowingUnknown: true }],
  '@typescript-eslint/prefer-promise-reject-errors': [
    'error',
    { allowThrowingAny: true, allowThrowingUnknown: true }
  ],
  // An async method without await is how a synchronous implementation meets an asynchronous seam.
  '@typescript-eslint/require-await': 'off',
  eqeqeq: 'error',
  'no-console': 'error',
  'object-shorthand': ['error', 'properties'],
  'prefer-const': 'error'
}

export default defineConfig(
  { ignores: ['node_modules', 'dist', 'coverage', 'docs', 'capsule-host/templates', 'capsules/*/assembly'] },
  eslint.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['*.js', '.*.js'] },
        tsconfigRootDir: import.meta.dirname
      }
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: { ...sizes, ...typed, 'no-restricted-syntax': ['error', ...restrictedSyntax] }
  },
  {
    files: ['**/*.ts'],
    ignores: [...POWERS, ...PROGRAMS],
    rules: {
      'no-restricted-globals': ['error', ...restrictedGlobals],
      'no-restricted-properties': ['error', ...restrictedProperties],
      '@typescript-eslint/no-restricted-imports': ['error', restrictedImports]
    }
  },
  // WASI fixes the parameters of its functions.
  { files: ['capsule-host/guest/{wasi,trace}/**'], rules: { '@typescript-eslint/max-params': 'off' } },
  {
    files: ['test/**/*.ts'],
    rules: {
      // A describe block is a function to ESLint, and a fixture may be taken for granted.
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/no-unused-expressions': 'off'
    }
  },
  // In a capsule, `console` writes to the streams it was given.
  { files: ['scripts/**', 'bench/**', 'test/**', 'sdk/**'], rules: { 'no-console': 'off' } },
  {
    files: ['**/*.js'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', performance: 'readonly' } },
    rules: {
      // TypeScript checks the types of these by their JSDoc; what a parsed JSON file holds stays `any` there.
      ...tseslint.configs.disableTypeChecked.rules,
      'no-undef': 'off'
    }
  },
  { files: ['*.js', '.*.js'], rules: { 'no-restricted-syntax': 'off' } }
)
