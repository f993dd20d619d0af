import type { CommandSpec } from '../command-spec.ts'

/** Commands about the blocks on this disk, and about carrying them in files. */
export const REPO_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['repo', 'stat'],
    needsNode: true,
    summary: 'how many blocks are here and what they take of the disk',
    example: 'elastos repo stat',
    load: async () => await import('../commands/repo-stat.ts')
  },
  {
    path: ['repo', 'verify'],
    needsNode: true,
    summary: 'hash every block, and look for every block of every pin',
    example: 'elastos repo verify --json',
    load: async () => await import('../commands/repo-verify.ts')
  },
  {
    path: ['repo', 'gc'],
    needsNode: true,
    summary: 'remove the blocks that no pin keeps; the node goes on serving meanwhile',
    example: 'elastos pin rm bafybei… && elastos repo gc',
    load: async () => await import('../commands/repo-gc.ts')
  },
  {
    path: ['dag', 'export'],
    needsNode: true,
    args: ['<target>'],
    options: [
      {
        flags: '-o, --output <path>',
        summary: 'where to write it (default: its CID and .car, in this folder)'
      },
      { flags: '--force', summary: 'replace what is there' },
      { flags: '--partial', summary: 'only what is here; ask nobody for the rest' },
      { flags: '--v2', summary: 'a CAR of version 2 (without an index)' }
    ],
    summary: 'write content, or what a path in it leads to, as a CAR file',
    example: 'elastos dag export bafybei… -o photos.car',
    load: async () => await import('../commands/dag-export.ts')
  },
  {
    path: ['dag', 'import'],
    needsNode: true,
    args: ['<path>'],
    options: [
      { flags: '--private', summary: 'keep it here and serve it to nobody' },
      { flags: '--name <name>', summary: 'a name for the pin' },
      { flags: '--no-pin', summary: 'take the blocks in as a cache' }
    ],
    summary: 'take in a CAR file, every block verified; anyone can fetch its roots unless --private',
    example: 'elastos dag import photos.car',
    load: async () => await import('../commands/dag-import.ts')
  }
]
