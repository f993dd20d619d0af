import assert from 'node:assert/strict'
import { decodeMlsMessage, emptyPskIndex, encodeMlsMessage, joinGroup, type ClientState } from 'ts-mls'
import { makeKeyPackageRef } from 'ts-mls/keyPackage.js'
import { toLeafIndex } from 'ts-mls/treemath.js'
import { decryptGroupSecrets, encryptGroupSecrets } from 'ts-mls/welcome.js'
import { DEVICES_MAX } from '../../../../rooms/private/constants.ts'
import {
  commitChange,
  encryptFor,
  enterGroup,
  foundGroup,
  membersOf,
  readMessage
} from '../../../../rooms/private/group.ts'
import {
  createPrekey,
  decodeKeyPackage,
  readPrekey,
  type OwnPrekey
} from '../../../../rooms/private/prekeys.ts'
import type { Suite } from '../../../../rooms/private/suite.ts'
import { areCapable, faultOfTree } from '../../../../rooms/private/tree-check.ts'
import { createPrivateSuite } from '../../../support/private-suite.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'

const NOW_MS = 1_800_000_000_000

interface Member {
  readonly suite: Suite
  state: ClientState
}

/** A group whose members commit one at a time, and all of whom read each commit. */
interface Group {
  readonly members: Member[]
  /** Takes a newcomer in, and somebody out; who enters with the welcome. */
  add(by: Member, gone?: Member): Promise<Entering>
  remove(by: Member, gone: Member): Promise<void>
  renew(by: Member): Promise<void>
}

interface Entering {
  readonly suite: Suite
  readonly prekey: OwnPrekey
  readonly welcome: Uint8Array
}

async function createGroup(seed: number): Promise<Group> {
  const random = createSeededRandom(seed)
  const { suite: founder } = await createPrivateSuite(random)
  const state = await foundGroup(founder, new Uint8Array(32).fill(seed), Uint8Array.of(1))
  const members: Member[] = [{ suite: founder, state }]
  const commit = async (
    by: Member,
    change: Parameters<typeof commitChange>[2]
  ): Promise<Uint8Array | undefined> => {
    const made = await commitChange(by.suite, by.state, change)
    for (const member of members) {
      if (member === by) continue
      const bytes = { bytes: made.commit, judge: () => true }
      member.state = ((await readMessage(member.suite, member.state, bytes)) as { state: ClientState }).state
    }
    by.state = made.state
    return made.welcome
  }
  return {
    members,
    add: async (by, gone) => {
      const { suite } = await createPrivateSuite(random)
      const prekey = await createPrekey(suite, { nowMs: NOW_MS, isLastResort: false })
      const add = [await readPrekey(by.suite, prekey.bytes, NOW_MS)]
      if (gone !== undefined) members.splice(members.indexOf(gone), 1)
      const remove = gone === undefined ? [] : [gone.state.privatePath.leafIndex]
      const welcome = await commit(by, { add, remove })
      assert.ok(welcome)
      members.push({ suite, state: await enterGroup(suite, welcome, prekey) })
      return { suite, prekey, welcome }
    },
    remove: async (by, gone) => {
      members.splice(members.indexOf(gone), 1)
      await commit(by, { add: [], remove: [gone.state.privatePath.leafIndex] })
    },
    renew: async (by) => {
      await commit(by, { add: [], remove: [] })
    }
  }
}

/** A group of so many, the first of whom took the others in. */
async function groupOf(seed: number, count: number): Promise<{ group: Group; first: Member }> {
  const group = await createGroup(seed)
  const [first] = group.members
  assert.ok(first)
  while (group.members.length < count) await group.add(first)
  return { group, first }
}

/** Everybody has the same keys, and each hears what one says. */
async function assertTogether({ members }: Group, speaker: Member): Promise<void> {
  const secrets = members.map(({ state }) => Buffer.from(state.keySchedule.exporterSecret).toString('hex'))
  assert.equal(new Set(secrets).size, 1)
  const said = await encryptFor(speaker.suite, speaker.state, Buffer.from('hello'))
  for (const member of members) {
    if (member === speaker) continue
    const read = await readMessage(member.suite, member.state, { bytes: said.message, judge: () => true })
    assert.ok(read.kind === 'application')
    assert.equal(Buffer.from(read.bytes).toString(), 'hello')
    member.state = read.state
  }
  speaker.state = said.state
}

/**
 * Eight, of whom the last left and the fifth renewed its keys; the first took somebody into the empty place and renewed its keys too, so
 * that the newcomer is unmerged below and not above. Then it takes a ninth in.
 */
async function withUnmergedLeafBelowMergedRoot(): Promise<{ group: Group; entering: Entering }> {
  const { group, first } = await groupOf(1, 8)
  const [fifth, last] = [group.members[4], group.members[7]]
  assert.ok(fifth && last)
  await group.remove(first, last)
  await group.renew(fifth)
  await group.add(first)
  await group.renew(first)
  return { group, entering: await group.add(first) }
}

describe('a welcome into a private room', () => {
  it('is taken where a leaf is unmerged below a merged node, which ts-mls 1.6.4 refuses', async () => {
    const { group, entering } = await withUnmergedLeafBelowMergedRoot()
    const { suite, prekey, welcome: bytes } = entering
    const newcomer = group.members.at(-1)
    assert.ok(newcomer)
    assert.equal(membersOf(newcomer.state).length, 9)
    await assertTogether(group, newcomer)
    const [first] = group.members
    assert.ok(first)
    await assertTogether(group, first)
    const message = decodeMlsMessage(bytes, 0)?.[0]
    assert.ok(message?.wireformat === 'mls_welcome')
    const secrets = { ...prekey, signaturePrivateKey: new Uint8Array() }
    const keyPackage = decodeKeyPackage(prekey.bytes)
    const { cipherSuite, config } = suite
    const joining = joinGroup(
      ...([
        message.welcome,
        keyPackage,
        secrets,
        emptyPskIndex,
        cipherSuite,
        undefined,
        undefined,
        config
      ] as const)
    )
    await assert.rejects(joining, /unmerged_leaves/)
  })

  it('is taken whatever was changed in which order before, and all have the same keys', async () => {
    const random = createSeededRandom(7)
    const group = await createGroup(2)
    const one = (): Member => {
      const member = group.members[Math.floor(random.unit() * group.members.length)]
      assert.ok(member)
      return member
    }
    for (let step = 0; step < 40; step++) {
      const by = one()
      const gone = one()
      const chance = random.unit()
      if (group.members.length < 3 || (chance < 0.5 && group.members.length < 14)) await group.add(by)
      else if (chance < 0.75 && gone !== by) await group.remove(by, gone)
      else await group.renew(by)
      await assertTogether(group, one())
    }
  })

  it('is refused when the secret it brings is not that of the keys in its tree', async () => {
    const { group, first } = await groupOf(3, 4)
    const gone = group.members[2]
    assert.ok(gone)
    // somebody goes in the same commit, which makes new keys
    const { suite, prekey, welcome: bytes } = await group.add(first, gone)
    const { hpke, hash } = suite.cipherSuite
    const message = decodeMlsMessage(bytes, 0)?.[0]
    assert.ok(message?.wireformat === 'mls_welcome')
    const { welcome } = message
    const keyPackage = decodeKeyPackage(prekey.bytes)
    const ref = await makeKeyPackageRef(keyPackage, hash)
    const initKey = await hpke.importPrivateKey(prekey.initPrivateKey)
    const secrets = await decryptGroupSecrets(initKey, ref, welcome, hpke)
    assert.ok(secrets?.pathSecret)
    const withPath = async (pathSecret: Uint8Array): Promise<Uint8Array> => {
      const publicKey = await hpke.importPublicKey(keyPackage.initKey)
      const { encryptedGroupInfo } = welcome
      const sealed = await encryptGroupSecrets(
        publicKey,
        encryptedGroupInfo,
        { ...secrets, pathSecret },
        hpke
      )
      const encryptedGroupSecrets = { kemOutput: sealed.enc, ciphertext: sealed.ct }
      const forged = { ...welcome, secrets: [{ newMember: ref, encryptedGroupSecrets }] }
      return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_welcome', welcome: forged })
    }
    assert.ok(await enterGroup(suite, await withPath(secrets.pathSecret), prekey))
    const other = await withPath(new Uint8Array(secrets.pathSecret.length))
    await assert.rejects(enterGroup(suite, other, prekey), { code: 'ERR_PRIVATE_FOREIGN' })
  })

  it('is refused with a tree that does not hold, whatever is wrong with it', async () => {
    const { group } = await withUnmergedLeafBelowMergedRoot()
    const newcomer = group.members.at(-1)
    assert.ok(newcomer)
    const { suite, state } = newcomer
    const { groupContext, ratchetTree } = state
    const faultWith = async (
      change: (tree: ClientState['ratchetTree']) => void
    ): Promise<string | undefined> => {
      const tree = structuredClone(ratchetTree)
      change(tree)
      return await faultOfTree(suite, { ratchetTree: tree, groupContext })
    }
    const unmerged = (at: number, leaves: readonly number[]) => (tree: ClientState['ratchetTree']) => {
      const node = tree[at]
      assert.ok(node?.nodeType === 'parent')
      node.parent.unmergedLeaves = leaves.map((leaf) => toLeafIndex(leaf))
    }
    // 11 is above leaves 4 to 7, and 7 above those and the first four; leaf 7 is unmerged in 11
    assert.equal(await faultWith(() => undefined), undefined)
    assert.match(String(await faultWith(unmerged(11, [7, 7]))), /twice/)
    assert.match(String(await faultWith(unmerged(11, [0]))), /not below/)
    assert.match(String(await faultWith(unmerged(11, [8]))), /not below/)
    assert.match(String(await faultWith(unmerged(11, [12]))), /not below/)
    assert.match(String(await faultWith(unmerged(7, [4]))), /in between/)
    assert.match(String(await faultWith(unmerged(11, []))), /parent hash/)
    assert.match(String(await faultWith((tree) => void (tree[0] = tree[2]))), /twice/)
    assert.match(String(await faultWith((tree) => void (tree[1] = tree[2]))), /where a parent belongs/)
    const [first] = ratchetTree
    assert.ok(first?.nodeType === 'leaf')
    const other = { ...first.leaf, signature: new Uint8Array(64) }
    assert.match(String(await faultWith((tree) => void (tree[0] = { ...first, leaf: other }))), /signature/)
    const wide = (tree: ClientState['ratchetTree']): void => {
      while (tree.length < 2 * DEVICES_MAX) tree.push(undefined)
    }
    assert.match(String(await faultWith(wide)), /too wide/)
    const inContext = async (change: Partial<ClientState['groupContext']>): Promise<string> =>
      String(await faultOfTree(suite, { ratchetTree, groupContext: { ...groupContext, ...change } }))
    assert.match(await inContext({ treeHash: new Uint8Array(32) }), /another tree/)
    const asked = { extensionType: 'required_capabilities', extensionData: new Uint8Array(3) } as const
    assert.match(await inContext({ extensions: [...groupContext.extensions, asked] }), /asks for more/)
    const capabilities = { ...first.leaf.capabilities, extensions: [] }
    const incapable = { ...first, leaf: { ...first.leaf, capabilities } }
    assert.equal(areCapable({ ratchetTree, groupContext }), true)
    assert.equal(areCapable({ ratchetTree: ratchetTree.with(0, incapable), groupContext }), false)
  })

  it('is refused when somebody is left out of a key above them, whose hashes hold all the same', async () => {
    const { group, first } = await groupOf(4, 4)
    const [third, last] = [group.members[2], group.members[3]]
    assert.ok(third && last)
    await group.remove(first, last)
    await group.renew(third)
    await group.add(first)
    const { suite, state } = third
    const { groupContext, ratchetTree } = state
    assert.equal(await faultOfTree(suite, { ratchetTree, groupContext }), undefined)
    const [tree, root] = [structuredClone(ratchetTree), 3]
    const node = tree[root]
    assert.ok(node?.nodeType === 'parent')
    assert.deepEqual(node.parent.unmergedLeaves, [3])
    node.parent.unmergedLeaves = []
    assert.match(String(await faultOfTree(suite, { ratchetTree: tree, groupContext })), /not be told/)
  })
})
