import type { Starter } from './starter.ts'

/** Go with its standard library. */
export const goStarter: Starter = {
  source: 'main.go',
  note: 'It is Go; building it takes Go 1.21 or later.',
  more: (name) => ({ 'go.mod': `module ${name}\n\ngo 1.21\n` }),
  text: (name) => `// A capsule: it has its standard streams and nothing else.
package main

import (
	"fmt"
	"io"
	"os"
)

func main() {
	greeting := "world"
	if len(os.Args) > 1 {
		greeting = os.Args[1]
	}
	fmt.Printf("hello, %s, from ${name}\\n", greeting)
	io.Copy(os.Stdout, os.Stdin)
}
`
}
