import assert from 'node:assert/strict'
import { cp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock, systemRandom } from '#contracts'
import {
  createKeystore,
  openKeystore,
  recoverKeystore,
  systemPrivateFiles,
  type Keystore,
  type KeystoreComponents,
  type KeystoreStatus,
  type PrivateFiles
} from '#did'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

const components: KeystoreComponents = {
  files: systemPrivateFiles,
  clock: systemClock,
  random: systemRandom,
  argon2Cost: { memoryKib: 64, passes: 1, parallelism: 1 }
}

/** Above the kernel's largest process id, so it never runs. */
const DEAD_PROCESS_ID = 4_194_999

class Killed extends Error {}

/**
 * The real files for a process that is killed at its `step`-th change of the disk: before it, after it, or, when
 * that change writes a file, half way through. From then on nothing it does reaches the disk.
 */
function killedAt(
  step: number,
  when: 'before' | 'half' | 'after'
): { files: PrivateFiles; wasKilled(): boolean } {
  let changes = 0
  let isDead = false
  const change = async (act: () => Promise<void>, actHalf: () => Promise<void>): Promise<void> => {
    if (isDead) throw new Killed()
    changes += 1
    if (changes < step) {
      await act()
      return
    }
    isDead = true
    if (when === 'half') await actHalf()
    if (when === 'after') await act()
    throw new Killed()
  }
  const nothing = (): Promise<void> => Promise.resolve()
  const real = systemPrivateFiles
  const files: PrivateFiles = {
    ...real,
    processId: () => DEAD_PROCESS_ID,
    createFile: (path, bytes) =>
      change(
        () => real.createFile(path, bytes),
        () => real.createFile(path, bytes.subarray(0, bytes.length / 2))
      ),
    link: (path, newPath) => change(() => real.link(path, newPath), nothing),
    rename: (path, newPath) => change(() => real.rename(path, newPath), nothing),
    remove: (path) => change(() => real.remove(path), nothing),
    createFolder: (path) => change(() => real.createFolder(path), nothing),
    syncFolder: (path) => change(() => real.syncFolder(path), nothing)
  }
  return { files, wasKilled: () => isDead }
}

interface Change {
  readonly name: string
  readonly run: (keystore: Keystore) => Promise<void>
  readonly after: KeystoreStatus
}

const OPEN: KeystoreStatus = { device: 'open', root: 'open', publishing: 'open' }

const CHANGES: Change[] = [
  {
    name: 'forgetting the words',
    run: (keystore) => keystore.forgetRoot(),
    after: { device: 'open', root: 'absent', publishing: 'absent' }
  },
  {
    name: 'locking',
    run: (keystore) => keystore.lock('pass', { device: true }),
    after: { device: 'locked', root: 'locked', publishing: 'locked' }
  }
]

/** Every step of a change, until one run of it is not killed at all. */
async function forEachKill(run: (files: PrivateFiles, label: string) => Promise<void>): Promise<number> {
  let kills = 0
  for (const when of ['before', 'half', 'after'] as const) {
    for (let step = 1; ; step++) {
      const { files, wasKilled } = killedAt(step, when)
      await run(files, `killed ${when} step ${step}`)
      if (!wasKilled()) break
      kills += 1
    }
  }
  return kills
}

describe('a keystore whose process is killed', () => {
  for (const change of CHANGES) {
    it(`while ${change.name} is what it was or what it was to be, and can be changed again`, async () => {
      await using temporary = await createTemporaryFolder()
      const original = join(temporary.path, 'original')
      const { device } = await createKeystore(original, components)
      let index = 0
      const kills = await forEachKill(async (files, label) => {
        const folder = join(temporary.path, String(index++))
        await cp(original, folder, { recursive: true })
        const doomed = await openKeystore(folder, { ...components, files })
        await change.run(doomed).catch(() => undefined)
        const survivor = await openKeystore(folder, components, { passphrase: 'pass' })
        assert.equal(survivor.device.did, device.did, label)
        const { status } = survivor.summary()
        assert.ok(
          [OPEN, change.after].some((expected) => isSame(expected, status)),
          `${label}: ${JSON.stringify(status)}`
        )
        await change.run(survivor)
        assert.deepEqual(survivor.summary().status, change.after, label)
        assert.deepEqual(await readdir(folder), ['identity.json'], `${label}: a secret was left lying about`)
      })
      assert.ok(kills > 10, `only ${kills} kills were tried`)
    })
  }

  it('while it is created is whole or not there, and can be created again', async () => {
    await using temporary = await createTemporaryFolder()
    let index = 0
    await forEachKill(async (files, label) => {
      const folder = join(temporary.path, String(index++), 'keys')
      const created = await createKeystore(folder, { ...components, files }).catch(() => undefined)
      const survivor = await openOrCreate(folder)
      if (created !== undefined) assert.equal(survivor.device.did, created.device.did, label)
      await survivor.lock('pass')
      assert.deepEqual(await readdir(folder), ['identity.json'], label)
    })
  })

  it('while it is recovered is whole or not there', async () => {
    await using temporary = await createTemporaryFolder()
    const words = await (await createKeystore(join(temporary.path, 'first'), components)).words()
    let index = 0
    await forEachKill(async (files, label) => {
      const folder = join(temporary.path, String(index++), 'keys')
      await recoverKeystore(folder, { ...components, files }, { from: { words } }).catch(() => undefined)
      const person = await openKeystore(folder, components).then(
        (keystore) => keystore.personDid,
        (thrown: unknown) => (thrown as { code: string }).code
      )
      assert.match(person, /^(did:key:|ERR_KEYSTORE_MISSING$)/, label)
    })
  })

  it('is not changed when the disk is full', async () => {
    await using temporary = await createTemporaryFolder()
    const folder = join(temporary.path, 'keys')
    await createKeystore(folder, components)
    const before = await readFile(join(folder, 'identity.json'))
    const full: PrivateFiles = {
      ...systemPrivateFiles,
      createFile: () => Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' }))
    }
    const keystore = await openKeystore(folder, { ...components, files: full })
    await assert.rejects(keystore.forgetRoot(), { code: 'ERR_FILE_IO', message: /ENOSPC/ })
    assert.equal(keystore.publisher()?.did, keystore.personDid)
    assert.deepEqual(await readFile(join(folder, 'identity.json')), before)
  })
})

async function openOrCreate(folder: string): Promise<Keystore> {
  try {
    return await openKeystore(folder, components)
  } catch (thrown) {
    assert.equal((thrown as { code?: string }).code, 'ERR_KEYSTORE_MISSING')
    return await createKeystore(folder, components)
  }
}

function isSame(left: KeystoreStatus, right: KeystoreStatus): boolean {
  return left.device === right.device && left.root === right.root && left.publishing === right.publishing
}
