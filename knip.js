/** What is reached by nobody is dead; these are where reaching begins, beside the front doors in package.json. */
const configuration = {
  entry: [
    'cli/main.ts',
    'capsule-host/guest/main.ts',
    'capsule-host/toolchain/{main,distribution-main}.ts',
    // Evaluated by the toolchain when it makes the runtime of capsules.
    'sdk/globals/main.ts',
    'sim/{main,preload}.ts',
    // What the toolchain compiles, and what it runs as processes of its own.
    'capsules/*/main.ts',
    // Programs that a test starts as processes of their own.
    'test/**/*-{program,worker}.ts',
    // Capsules that tests compile.
    'test/support/tiny-providers/*.ts',
    'test/sim/lone-node.ts',
    'test/support/shifted-clock.ts',
    'test/e2e/hostile-publisher.ts',
    'scripts/*.{js,ts}',
    'bench/*.ts',
    'test/**/*.test.ts',
    'test/long/*.long.ts'
  ],
  project: ['**/*.{ts,js}', '!capsule-host/templates/**', '!capsules/*/assembly/**'],
  // scripts/check.ts runs typedoc by its path.
  ignoreDependencies: ['typedoc'],
  ignoreBinaries: ['mkfifo'],
  // A type that an exported function names is exported for whoever embeds us, named elsewhere or not.
  ignoreExportsUsedInFile: true
}

export default configuration
