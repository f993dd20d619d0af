import type { ClientState } from 'ts-mls'
import { extensionsSupportedByCapabilities, type Extension } from 'ts-mls/extension.js'
import { verifyLeafNodeSignature, verifyLeafNodeSignatureKeyPackage } from 'ts-mls/leafNode.js'
import type { LeafNode } from 'ts-mls/leafNode.js'
import { calculateParentHash, verifyParentHashes } from 'ts-mls/parentHash.js'
import { resolution } from 'ts-mls/ratchetTree.js'
import { treeHashRoot } from 'ts-mls/treeHash.js'
import {
  directPath,
  left,
  leafToNodeIndex,
  leafWidth,
  right,
  toLeafIndex,
  toNodeIndex
} from 'ts-mls/treemath.js'
import { DEVICES_MAX, INFO_EXTENSION } from './constants.ts'
import { readCredential, type Suite } from './suite.ts'

/** What a newcomer is shown of a group: its tree, and the context that everybody in it agrees on. */
export type ShownGroup = Pick<ClientState, 'ratchetTree' | 'groupContext'>

type Tree = ClientState['ratchetTree']

/** The leftmost empty place is filled first, and who goes goes before who comes: no tree of ours is wider. */
const TREE_NODES_MAX = 2 * DEVICES_MAX - 1

/**
 * What does not hold in the tree that a welcome brings, as RFC 9420 §7.3, §7.9 and §12.4.3.1 have it; `undefined` when all does. That
 * of ts-mls 1.6.4 wants the unmerged leaves of a node listed by all nodes above it too, up to the root, and so refuses groups in which
 * somebody left, others renewed their keys, and somebody came into the empty place.
 */
export async function faultOfTree(suite: Suite, shown: ShownGroup): Promise<string | undefined> {
  const { ratchetTree: tree, groupContext } = shown
  const { hash } = suite.cipherSuite
  const fault = faultOfShape(shown) ?? (await faultOfLeaves(suite, shown)) ?? faultOfUnmerged(tree)
  if (fault !== undefined) return fault
  if (!(await verifyParentHashes(tree, hash))) return 'a parent hash that does not hold'
  if (!(await coversAll(suite, tree))) return 'a member who would not be told new keys'
  const expected = await treeHashRoot(tree, hash)
  return Buffer.compare(expected, groupContext.treeHash) === 0 ? undefined : 'another tree than was agreed on'
}

/** No wider than a room may be, leaves at even places and parents at odd ones, each key once; and of the group nothing that ours do not have. */
function faultOfShape({ ratchetTree: tree, groupContext }: ShownGroup): string | undefined {
  if (tree.length > TREE_NODES_MAX) return 'a tree that is too wide'
  if (groupContext.extensions.some(({ extensionType }) => extensionType !== INFO_EXTENSION))
    return 'a group that asks for more than ours do'
  const keys = new Set<string>()
  for (const [index, node] of tree.entries()) {
    if (node === undefined) continue
    if ((node.nodeType === 'leaf') !== (index % 2 === 0))
      return 'a leaf where a parent belongs, or the reverse'
    const own =
      node.nodeType === 'leaf'
        ? [node.leaf.hpkePublicKey, node.leaf.signaturePublicKey]
        : [node.parent.hpkePublicKey]
    for (const [at, key] of own.entries()) {
      const name = `${at} ${Buffer.from(key).toString('hex')}`
      if (keys.has(name)) return 'a key that is there twice'
      keys.add(name)
    }
  }
  return undefined
}

async function faultOfLeaves(
  suite: Suite,
  { ratchetTree, groupContext }: ShownGroup
): Promise<string | undefined> {
  const { signature } = suite.cipherSuite
  for (const [index, node] of ratchetTree.entries()) {
    if (node?.nodeType !== 'leaf') continue
    const { leaf } = node
    const isSigned =
      leaf.leafNodeSource === 'key_package'
        ? await verifyLeafNodeSignatureKeyPackage(leaf, signature)
        : await verifyLeafNodeSignature(leaf, groupContext.groupId, index / 2, signature)
    if (!isSigned) return 'a member whose signature does not hold'
    if (readCredential(leaf.credential, leaf.signaturePublicKey) === undefined)
      return 'a member whom nobody certified'
    if (!isCapable(leaf, groupContext.extensions)) return 'a member who cannot do what the group does'
  }
  return undefined
}

/** Whether all in a group can do what it asks of them: else whoever comes next would be right to stay out. */
export function areCapable({ ratchetTree, groupContext }: ShownGroup): boolean {
  return ratchetTree.every(
    (node) => node?.nodeType !== 'leaf' || isCapable(node.leaf, groupContext.extensions)
  )
}

function isCapable({ capabilities, extensions }: LeafNode, needed: readonly Extension[]): boolean {
  return (
    capabilities.credentials.includes('basic') &&
    extensionsSupportedByCapabilities([...extensions, ...needed], capabilities)
  )
}

/** Each unmerged leaf is below the node that lists it, and listed by all nodes between the two. */
function faultOfUnmerged(tree: Tree): string | undefined {
  const width = leafWidth(tree.length)
  for (const [index, node] of tree.entries()) {
    if (node?.nodeType !== 'parent') continue
    const { unmergedLeaves } = node.parent
    if (new Set(unmergedLeaves).size < unmergedLeaves.length) return 'an unmerged leaf that is listed twice'
    for (const leaf of unmergedLeaves) {
      const place = leafToNodeIndex(toLeafIndex(leaf))
      const path = tree[place] === undefined ? [] : directPath(place, width)
      const at = path.indexOf(toNodeIndex(index))
      if (at === -1) return 'an unmerged leaf that is not below its node'
      if (path.slice(0, at).some((between) => !lists(tree, between, leaf)))
        return 'an unmerged leaf that a node in between does not list'
    }
  }
  return undefined
}

/** Whether a node lists a leaf as unmerged; an empty one need not. */
function lists(tree: Tree, index: number, leaf: number): boolean {
  const node = tree[index]
  return node?.nodeType !== 'parent' || node.parent.unmergedLeaves.includes(leaf)
}

/**
 * Whether each parent's key is known to all below it but those it lists as unmerged: below whichever child the path came from that made
 * the parent, nobody else is left out (RFC 9420 §7.9.2, which ts-mls does not look at).
 */
async function coversAll({ cipherSuite }: Suite, tree: Tree): Promise<boolean> {
  for (const [index, node] of tree.entries()) {
    const own = node && parentHashOf(node)
    if (own === undefined) continue
    const [expected, above] = await calculateParentHash(tree, toNodeIndex(index), cipherSuite.hash)
    const parent = above === undefined ? undefined : tree[above]
    if (above === undefined || parent?.nodeType !== 'parent' || Buffer.compare(own, expected) !== 0) continue
    const side = index < above ? left(above) : right(above)
    const others = resolution(tree, side).filter((one) => Number(one) !== index)
    const unmerged = new Set(
      parent.parent.unmergedLeaves.map((leaf) => Number(leafToNodeIndex(toLeafIndex(leaf))))
    )
    const isBelow = (place: number): boolean => place < above === index < above
    const listed = [...unmerged].filter(isBelow)
    if (listed.length !== others.length || others.some((one) => !unmerged.has(one))) return false
  }
  return true
}

function parentHashOf(node: NonNullable<Tree[number]>): Uint8Array | undefined {
  if (node.nodeType === 'parent') return node.parent.parentHash
  return node.leaf.leafNodeSource === 'commit' ? node.leaf.parentHash : undefined
}
