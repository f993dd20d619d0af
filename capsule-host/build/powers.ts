/** Variables that compilers of other languages find their caches, their toolchains and each other by. */
const VARIABLES = [
  'PATH',
  'HOME',
  'XDG_CACHE_HOME',
  'GOCACHE',
  'GOPATH',
  'GOROOT',
  'RUSTUP_HOME',
  'CARGO_HOME'
]

/** What a compiler of the user's machine is told of the environment. */
export function compilerEnvironment(): Record<string, string> {
  return Object.fromEntries(
    VARIABLES.flatMap((name) => {
      const value = process.env[name]
      return value === undefined ? [] : [[name, value]]
    })
  )
}
