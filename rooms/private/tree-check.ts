import type { ClientState } from 'ts-mls'
import { extensionsSupportedByCapabilities } from 'ts-mls/extension.js'
import { verifyLeafNodeSignature, verifyLeafNodeSignatureKeyPackage } from 'ts-mls/leafNode.js'
import type { LeafNode } from 'ts-mls/leafNode.js'
import { verifyParentHashes } from 'ts-mls/parentHash.js'
import { treeHashRoot } from 'ts-mls/treeHash.js'
import { directPath, leafToNodeIndex, leafWidth, toLeafIndex, toNodeIndex } from 'ts-mls/treemath.js'
import { readCredential, type Suite } from './suite.ts'

/** What a newcomer is shown of a group: its tree, and the context that everybody in it agrees on. */
export type ShownGroup = Pick<ClientState, 'ratchetTree' | 'groupContext'>

type Tree = ClientState['ratchetTree']

/**
 * What does not hold in the tree that a welcome brings, as RFC 9420 §7.3, §7.9 and §12.4.3.1 have it; `undefined` when all does. That
 * of ts-mls 1.6.4 wants the unmerged leaves of a node listed by all nodes above it too, up to the root, and so refuses groups in which
 * somebody left, others renewed their keys, and somebody came into the empty place.
 */
export async function faultOfTree(suite: Suite, shown: ShownGroup): Promise<string | undefined> {
  const { ratchetTree: tree, groupContext } = shown
  const { hash } = suite.cipherSuite
  const fault = faultOfShape(tree) ?? (await faultOfLeaves(suite, shown)) ?? faultOfUnmerged(tree)
  if (fault !== undefined) return fault
  if (!(await verifyParentHashes(tree, hash))) return 'a parent hash that does not hold'
  const expected = await treeHashRoot(tree, hash)
  return Buffer.compare(expected, groupContext.treeHash) === 0 ? undefined : 'another tree than was agreed on'
}

/** Leaves at even places and parents at odd ones, and each key once. */
function faultOfShape(tree: Tree): string | undefined {
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
    if (!isCapable(leaf, groupContext)) return 'a member who cannot do what the group does'
  }
  return undefined
}

function isCapable(
  { capabilities, extensions }: LeafNode,
  { extensions: needed }: ClientState['groupContext']
): boolean {
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
