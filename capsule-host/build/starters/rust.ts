import type { Starter } from './starter.ts'

/** Rust with its standard library. */
export const rustStarter: Starter = {
  source: 'src/main.rs',
  note:
    'It is Rust without dependencies; building it takes rustc with the target wasm32-wasip1. With dependencies, build it ' +
    'with cargo, put the module where `entry` says, and take `build` out of `capsule.json`.',
  text: (name) => `// A capsule: it has its standard streams and nothing else.
use std::io;

fn main() -> io::Result<()> {
    let greeting = std::env::args().nth(1).unwrap_or_else(|| "world".to_string());
    println!("hello, {greeting}, from ${name}");
    io::copy(&mut io::stdin(), &mut io::stdout())?;
    Ok(())
}
`
}
