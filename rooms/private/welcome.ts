import type { ClientState, KeyPackage, Welcome } from 'ts-mls'
import { deriveSecret } from 'ts-mls/crypto/kdf.js'
import {
  ratchetTreeFromExtension,
  verifyGroupInfoConfirmationTag,
  verifyGroupInfoSignature,
  type GroupInfo
} from 'ts-mls/groupInfo.js'
import type { GroupSecrets } from 'ts-mls/groupSecrets.js'
import { makeKeyPackageRef } from 'ts-mls/keyPackage.js'
import { deriveKeySchedule } from 'ts-mls/keySchedule.js'
import { pathToRoot } from 'ts-mls/pathSecrets.js'
import { findLeafIndex } from 'ts-mls/ratchetTree.js'
import { createSecretTree } from 'ts-mls/secretTree.js'
import { leafToNodeIndex, leafWidth, toLeafIndex, type LeafIndex } from 'ts-mls/treemath.js'
import { firstCommonAncestor } from 'ts-mls/updatePath.js'
import { decryptGroupInfo, decryptGroupSecrets } from 'ts-mls/welcome.js'
import { readCredential, SUITE_NAME, type Suite } from './suite.ts'
import { faultOfTree } from './tree-check.ts'

/** The prekey that a welcome was made with. */
export interface EnteringPrekey {
  readonly keyPackage: KeyPackage
  readonly initPrivateKey: Uint8Array
  readonly hpkePrivateKey: Uint8Array
}

interface Opened {
  readonly info: GroupInfo
  readonly secrets: GroupSecrets
  readonly tree: ClientState['ratchetTree']
}

/**
 * The group that a welcome leads into, as RFC 9420 §12.4.3.1 has it, for groups as ours are: the tree comes with the welcome, and there
 * is no key from outside. Over the parts of ts-mls, whose own way in refuses groups that are as they should be (`faultOfTree`) and
 * does not compare the keys it works out with those of the tree.
 *
 * @throws whatever does not hold
 */
export async function openWelcome(
  suite: Suite,
  welcome: Welcome,
  prekey: EnteringPrekey
): Promise<ClientState> {
  const { cipherSuite, config } = suite
  const opened = await open(suite, welcome, prekey)
  const { info, secrets, tree } = opened
  const { groupContext, confirmationTag } = info
  await verify(suite, opened, prekey)
  const leaf = findLeafIndex(tree, prekey.keyPackage.leafNode)
  if (leaf === undefined) throw new Error('expected a tree in which this device is')
  const none = noKeyFromOutside(suite)
  const [keySchedule, encryptionSecret] = await deriveKeySchedule(
    secrets.joinerSecret,
    none,
    groupContext,
    cipherSuite.kdf
  )
  const secretTree = await createSecretTree(leafWidth(tree.length), encryptionSecret, cipherSuite.kdf)
  const privateKeys = {
    ...(await keysAbove(suite, opened, leaf)),
    [leafToNodeIndex(leaf)]: prekey.hpkePrivateKey
  }
  encryptionSecret.fill(0)
  secrets.joinerSecret.fill(0)
  return {
    ...{ groupContext, ratchetTree: tree, keySchedule, secretTree, confirmationTag },
    privatePath: { leafIndex: leaf, privateKeys },
    // the device key never leaves the signer
    signaturePrivateKey: new Uint8Array(),
    ...{ unappliedProposals: {}, historicalReceiverData: new Map() },
    groupActiveState: { kind: 'active' },
    clientConfig: config
  }
}

function noKeyFromOutside({ cipherSuite }: Suite): Uint8Array {
  return new Uint8Array(cipherSuite.kdf.size)
}

async function open(suite: Suite, welcome: Welcome, prekey: EnteringPrekey): Promise<Opened> {
  const { cipherSuite } = suite
  if (welcome.cipherSuite !== SUITE_NAME) throw new Error('expected a welcome of our suite')
  const ref = await makeKeyPackageRef(prekey.keyPackage, cipherSuite.hash)
  const initKey = await cipherSuite.hpke.importPrivateKey(prekey.initPrivateKey)
  const secrets = await decryptGroupSecrets(initKey, ref, welcome, cipherSuite.hpke)
  if (secrets === undefined || secrets.psks.length > 0)
    throw new Error('expected the secrets of a group without keys from outside')
  const info = await decryptGroupInfo(welcome, secrets.joinerSecret, noKeyFromOutside(suite), cipherSuite)
  const tree = info && ratchetTreeFromExtension(info)
  if (info === undefined || tree === undefined) throw new Error('expected what the group is, with its tree')
  return { info, secrets, tree }
}

async function verify(suite: Suite, { info, secrets, tree }: Opened, prekey: EnteringPrekey): Promise<void> {
  const { cipherSuite } = suite
  const { groupContext } = info
  const signer = tree[leafToNodeIndex(toLeafIndex(info.signer))]
  if (signer?.nodeType !== 'leaf') throw new Error('expected a member who signs')
  const { credential, signaturePublicKey } = signer.leaf
  const isMember = readCredential(credential, signaturePublicKey) !== undefined
  if (!isMember || !(await verifyGroupInfoSignature(info, signaturePublicKey, cipherSuite.signature)))
    throw new Error('expected what the group is, signed by a member')
  const { cipherSuite: name, version } = prekey.keyPackage
  if (groupContext.cipherSuite !== name || groupContext.version !== version)
    throw new Error('expected a group of the suite of the prekey')
  const fault = await faultOfTree(suite, { ratchetTree: tree, groupContext })
  if (fault !== undefined) throw new Error(`expected a tree that holds, got ${fault}`)
  const none = noKeyFromOutside(suite)
  if (!(await verifyGroupInfoConfirmationTag(info, secrets.joinerSecret, none, cipherSuite)))
    throw new Error('expected a confirmation that holds')
}

/** The private keys of the nodes that this device shares with who took it in, by their places; each has to be that of the tree. */
async function keysAbove(
  { cipherSuite }: Suite,
  { info, secrets, tree }: Opened,
  leaf: LeafIndex
): Promise<Record<number, Uint8Array>> {
  const { hpke, kdf } = cipherSuite
  if (secrets.pathSecret === undefined) return {}
  const meeting = firstCommonAncestor(tree, leaf, toLeafIndex(info.signer))
  const path = await pathToRoot(tree, meeting, secrets.pathSecret, kdf)
  const keys: Record<number, Uint8Array> = {}
  for (const [place, secret] of Object.entries(path)) {
    const index = Number(place)
    const pair = await hpke.deriveKeyPair(await deriveSecret(secret, 'node', kdf))
    const node = tree[index]
    // the end of a path may be empty, and then has no key
    if (node === undefined) continue
    const isTheirs =
      node.nodeType === 'parent' &&
      Buffer.compare(await hpke.exportPublicKey(pair.publicKey), node.parent.hpkePublicKey) === 0
    if (!isTheirs) throw new Error('expected the keys of the tree')
    keys[index] = await hpke.exportPrivateKey(pair.privateKey)
  }
  return keys
}
