import { FileError } from './errors.ts'
import type { FileKind, FileTimes, OpenOptions } from './files.ts'

const LINKS_FOLLOWED_MAX = 32

/** A file, folder or link of a {@link FileTree}. */
export interface TreeNode {
  readonly kind: FileKind
  readonly inode: number
  /** Bytes of a file; 0 of others. */
  bytes: number
  /** At least `bytes` long. */
  content: Uint8Array
  /** What a folder holds. */
  readonly children: Map<string, TreeNode>
  /** What a link says. */
  target: string
  /** Names it has; 0 when it was removed. */
  linkCount: number
  /** How many handles are open; what has no name and no handle takes no room. */
  openCount: number
  accessedNs: bigint
  modifiedNs: bigint
  changedNs: bigint
}

/** Where a path leads: the folder that holds it, its name there, and what is there. */
interface Place {
  readonly parent: TreeNode
  readonly name: string
  readonly node: TreeNode | undefined
}

/** A tree of files in memory, within bounds. Paths come as their names. */
export class FileTree {
  readonly #init: { nowNs: () => bigint; bytesMax: number; entriesMax: number }
  readonly #root: TreeNode
  #bytes = 0
  #entries = 0
  #lastInode = 0

  constructor(init: { nowNs: () => bigint; bytesMax: number; entriesMax: number }) {
    this.#init = init
    this.#root = this.#create('folder')
  }

  /** What is at a path. */
  node(names: readonly string[], isFollowing: boolean): TreeNode {
    if (names.length === 0) return this.#root
    const { node } = this.#find(names, isFollowing)
    if (node === undefined) throw new FileError('ERR_FILE_NOT_FOUND', 'expected something at that path')
    return node
  }

  /** The folder at a path. */
  folder(names: readonly string[]): TreeNode {
    const node = this.node(names, true)
    if (node.kind !== 'folder') throw notFolder()
    return node
  }

  /** Opens the file at a path, or makes it. */
  open(names: readonly string[], options: OpenOptions): TreeNode {
    const isNew = options.isCreating === true && options.isExclusive === true
    const place = names.length === 0 ? undefined : this.#find(names, options.isFollowing === true && !isNew)
    const node = place === undefined ? this.#root : place.node
    if (node === undefined || place === undefined) {
      if (node !== undefined) throw isFolder()
      if (options.isCreating !== true)
        throw new FileError('ERR_FILE_NOT_FOUND', 'expected a file at that path')
      return this.#opened(this.#attach(place as Place, 'file'))
    }
    if (isNew) throw new FileError('ERR_FILE_EXISTS', 'expected nothing at that path')
    if (node.kind === 'folder') throw isFolder()
    if (node.kind === 'link') throw new FileError('ERR_FILE_LOOP', 'expected a file, got a link')
    if (options.isTruncating === true) this.resize(node, 0)
    return this.#opened(node)
  }

  /** Makes a folder or link where there is nothing. */
  make(names: readonly string[], kind: FileKind): TreeNode {
    if (names.length === 0) throw new FileError('ERR_FILE_EXISTS', 'expected another path than the root')
    const place = this.#find(names, false)
    if (place.node !== undefined) throw new FileError('ERR_FILE_EXISTS', 'expected nothing at that path')
    return this.#attach(place, kind)
  }

  /** Removes a file or link. */
  remove(names: readonly string[]): void {
    const { parent, name, node } = this.#existing(names)
    if (node.kind === 'folder') throw isFolder()
    this.#detach(parent, name)
  }

  /** Removes an empty folder. */
  removeFolder(names: readonly string[]): void {
    const { parent, name, node } = this.#existing(names)
    if (node.kind !== 'folder') throw notFolder()
    if (node.children.size > 0) throw new FileError('ERR_FILE_NOT_EMPTY', 'expected an empty folder')
    this.#detach(parent, name)
  }

  /** Moves what is at one path to another. */
  rename(from: readonly string[], to: readonly string[]): void {
    const source = this.#existing(from)
    if (to.length === 0) throw new FileError('ERR_FILE_BUSY', 'expected another path than the root')
    const target = this.#find(to, false)
    if (target.node === source.node) return
    if (source.node.kind === 'folder' && holds(source.node, target.parent)) {
      throw new FileError('ERR_FILE_INVALID', 'expected a path outside the folder that is moved')
    }
    this.#checkReplaced(source.node, target.node)
    if (target.node !== undefined) this.#detach(target.parent, target.name)
    source.parent.children.delete(source.name)
    target.parent.children.set(target.name, source.node)
    this.#touch(source.parent)
    this.#touch(target.parent)
  }

  /** Gives a file or link a second name. */
  join(from: readonly string[], to: readonly string[]): void {
    const { node } = this.#existing(from)
    const target = this.#find(to, false)
    if (target.node !== undefined) throw new FileError('ERR_FILE_EXISTS', 'expected nothing at that path')
    if (node.kind === 'folder') throw new FileError('ERR_FILE_DENIED', 'expected a file, got a folder')
    target.parent.children.set(target.name, node)
    node.linkCount++
    this.#touch(target.parent)
  }

  /** Writes into a file, which grows as needed. */
  write(node: TreeNode, offset: number, bytes: Uint8Array): void {
    if (offset + bytes.byteLength > node.bytes) this.resize(node, offset + bytes.byteLength)
    node.content.set(bytes, offset)
    this.#touch(node)
  }

  /** Cuts or lengthens a file. */
  resize(node: TreeNode, bytes: number): void {
    if (this.#bytes + bytes - node.bytes > this.#init.bytesMax) {
      throw new FileError('ERR_FILE_QUOTA', `expected at most ${this.#init.bytesMax} bytes in all`)
    }
    if (bytes > node.content.byteLength) {
      const larger = new Uint8Array(
        Math.min(this.#init.bytesMax, Math.max(bytes, node.content.byteLength * 2))
      )
      larger.set(node.content.subarray(0, node.bytes))
      node.content = larger
    } else if (bytes < node.bytes) node.content.fill(0, bytes, node.bytes)
    this.#bytes += bytes - node.bytes
    node.bytes = bytes
    this.#touch(node)
  }

  /** Sets the times that are given. */
  setTimes(node: TreeNode, { accessedNs, modifiedNs }: FileTimes): void {
    const nowNs = this.#init.nowNs()
    if (accessedNs !== undefined) node.accessedNs = accessedNs === 'now' ? nowNs : accessedNs
    if (modifiedNs !== undefined) node.modifiedNs = modifiedNs === 'now' ? nowNs : modifiedNs
    node.changedNs = nowNs
  }

  /** A handle of `node` was closed. */
  released(node: TreeNode): void {
    node.openCount--
    this.#reclaim(node)
  }

  #find(names: readonly string[], isFollowing: boolean): Place {
    const todo = [...names]
    const folders = [this.#root]
    for (let followed = 0; ;) {
      const name = todo.shift()
      const parent = folders.at(-1) ?? this.#root
      if (name === undefined) return { parent, name: '.', node: parent }
      if (name === '..') {
        // Only a link says that.
        if (folders.length === 1) throw new FileError('ERR_FILE_DENIED', 'expected a link that stays inside')
        folders.pop()
        continue
      }
      const node = parent.children.get(name)
      const isLast = todo.length === 0
      if (node?.kind === 'link' && (!isLast || isFollowing)) {
        if (++followed > LINKS_FOLLOWED_MAX) throw new FileError('ERR_FILE_LOOP', 'expected fewer links')
        todo.unshift(...node.target.split('/').filter((part) => part !== '' && part !== '.'))
      } else if (isLast) return { parent, name, node }
      else if (node === undefined) throw new FileError('ERR_FILE_NOT_FOUND', 'expected a folder on the way')
      else if (node.kind !== 'folder') throw notFolder()
      else folders.push(node)
    }
  }

  #existing(names: readonly string[]): Place & { readonly node: TreeNode } {
    if (names.length === 0) throw new FileError('ERR_FILE_BUSY', 'expected another path than the root')
    const { parent, name, node } = this.#find(names, false)
    if (node === undefined) throw new FileError('ERR_FILE_NOT_FOUND', 'expected something at that path')
    return { parent, name, node }
  }

  #checkReplaced(source: TreeNode, target: TreeNode | undefined): void {
    if (target === undefined) return
    if (target.kind !== 'folder') {
      if (source.kind === 'folder') throw notFolder()
      return
    }
    if (source.kind !== 'folder') throw isFolder()
    if (target.children.size > 0) throw new FileError('ERR_FILE_NOT_EMPTY', 'expected an empty folder')
  }

  #attach({ parent, name }: Place, kind: FileKind): TreeNode {
    if (this.#entries >= this.#init.entriesMax) {
      throw new FileError('ERR_FILE_QUOTA', `expected at most ${this.#init.entriesMax} files and folders`)
    }
    const node = this.#create(kind)
    parent.children.set(name, node)
    this.#entries++
    this.#touch(parent)
    return node
  }

  #detach(parent: TreeNode, name: string): void {
    const node = parent.children.get(name)
    if (node === undefined) return
    parent.children.delete(name)
    node.linkCount--
    node.changedNs = this.#init.nowNs()
    if (node.linkCount === 0) this.#entries--
    this.#touch(parent)
    this.#reclaim(node)
  }

  #reclaim(node: TreeNode): void {
    if (node.linkCount > 0 || node.openCount > 0) return
    this.#bytes -= node.bytes
    node.bytes = 0
    node.content = new Uint8Array(0)
  }

  #opened(node: TreeNode): TreeNode {
    node.openCount++
    return node
  }

  #touch(node: TreeNode): void {
    node.modifiedNs = this.#init.nowNs()
    node.changedNs = node.modifiedNs
  }

  #create(kind: FileKind): TreeNode {
    const nowNs = this.#init.nowNs()
    return {
      ...{ kind, inode: ++this.#lastInode, bytes: 0, content: new Uint8Array(0), children: new Map() },
      ...{ target: '', linkCount: 1, openCount: 0 },
      ...{ accessedNs: nowNs, modifiedNs: nowNs, changedNs: nowNs }
    }
  }
}

/** Whether `node` is `folder` or anywhere below it. */
function holds(folder: TreeNode, node: TreeNode): boolean {
  if (folder === node) return true
  return [...folder.children.values()].some((child) => child.kind === 'folder' && holds(child, node))
}

function isFolder(): FileError {
  return new FileError('ERR_FILE_IS_FOLDER', 'expected a file, got a folder')
}

function notFolder(): FileError {
  return new FileError('ERR_FILE_NOT_FOLDER', 'expected a folder')
}
