import type { Starter } from './starter.ts'

/** C with the C library of WASI. */
export const cStarter: Starter = {
  source: 'src/main.c',
  note: 'It is C; building it takes a clang with a WASI library.',
  text: (name) => `/* A capsule: it has its standard streams and nothing else. */
#include <stdio.h>

int main(int argc, char **argv) {
  printf("hello, %s, from ${name}\\n", argc > 1 ? argv[1] : "world");
  char buffer[4096];
  size_t length;
  while ((length = fread(buffer, 1, sizeof buffer, stdin)) > 0) fwrite(buffer, 1, length, stdout);
  return 0;
}
`
}
