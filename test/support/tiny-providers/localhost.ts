import type { LocalhostCommands, LocalhostEntry } from '#providers'
import { capsule, ProviderError } from '#sdk'

/** Another `localhost@1`: in the memory of the capsule, by whose files they are. It holds no power of the host. */
type Tree = Map<string, Uint8Array | 'folder'>

const trees = new Map<string, Tree>()

function treeOf(subject: string): Tree {
  const tree = trees.get(subject) ?? new Map<string, Uint8Array | 'folder'>([['', 'folder']])
  trees.set(subject, tree)
  return tree
}

function refuse(code: string): never {
  throw new ProviderError(code)
}

function parentOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : ''
}

function checkParent(tree: Tree, path: string): void {
  const parent = tree.get(parentOf(path))
  if (parent === undefined) refuse('ERR_FILE_NOT_FOUND')
  if (parent !== 'folder') refuse('ERR_FILE_NOT_FOLDER')
}

function below(tree: Tree, path: string): string[] {
  return [...tree.keys()].filter(
    (key) => key !== '' && key !== path && (path === '' || key.startsWith(`${path}/`))
  )
}

function entryOf(tree: Tree, path: string): Omit<LocalhostEntry, 'name'> {
  const node = tree.get(path) ?? refuse('ERR_FILE_NOT_FOUND')
  return {
    type: node === 'folder' ? 'folder' : 'file',
    bytes: node === 'folder' ? 0 : node.length,
    modifiedAtMs: 0
  }
}

function decode(data: string): Uint8Array {
  return Uint8Array.from(atob(data), (character) => character.charCodeAt(0))
}

function encode(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
}

await capsule.provide<LocalhostCommands>('localhost', {
  read: ({ path, offset = 0, length = 32_768 }, { subject }) => {
    const node = treeOf(subject).get(path) ?? refuse('ERR_FILE_NOT_FOUND')
    if (node === 'folder') refuse('ERR_FILE_IS_FOLDER')
    const bytes = node.slice(offset, offset + length)
    return { data: encode(bytes), isEnd: offset + bytes.length >= node.length }
  },
  write: ({ path, data, offset }, { subject }) => {
    const tree = treeOf(subject)
    checkParent(tree, path)
    const old = tree.get(path)
    if (old === 'folder') refuse('ERR_FILE_IS_FOLDER')
    const bytes = decode(data)
    const kept = offset === undefined ? new Uint8Array(0) : (old ?? new Uint8Array(0))
    const next = new Uint8Array(Math.max(kept.length, (offset ?? 0) + bytes.length))
    next.set(kept)
    next.set(bytes, offset ?? 0)
    tree.set(path, next)
    return {}
  },
  list: ({ path, after = '' }, { subject }) => {
    const tree = treeOf(subject)
    if (entryOf(tree, path).type === 'file') refuse('ERR_FILE_NOT_FOLDER')
    const prefix = path === '' ? '' : `${path}/`
    const names = below(tree, path)
      .map((key) => key.slice(prefix.length))
      .filter((name) => !name.includes('/') && name > after)
      .sort()
    const entries = names.slice(0, 100).map((name) => ({ name, ...entryOf(tree, prefix + name) }))
    return { entries, hasMore: names.length > 100 }
  },
  stat: ({ path }, { subject }) => entryOf(treeOf(subject), path),
  delete: ({ path, isRecursive = false }, { subject }) => {
    const tree = treeOf(subject)
    entryOf(tree, path)
    const held = below(tree, path)
    if (held.length > 0 && !isRecursive) refuse('ERR_FILE_NOT_EMPTY')
    for (const key of [...held, path]) tree.delete(key)
    return {}
  },
  mkdir: ({ path }, { subject }) => {
    const tree = treeOf(subject)
    checkParent(tree, path)
    if (tree.has(path)) refuse('ERR_FILE_EXISTS')
    tree.set(path, 'folder')
    return {}
  }
})
