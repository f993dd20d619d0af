import assert from 'node:assert/strict'
import { readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock, systemRandom } from '#contracts'
import {
  createKeystore,
  createWords,
  keysFromWords,
  openCertificate,
  openKeystore,
  readIdentity,
  recoverKeystore,
  systemPrivateFiles,
  type Keystore,
  type KeystoreComponents
} from '#did'
import { createTemporaryFolder, type TemporaryFolder } from '../../support/temporary-folder.ts'

// The cheapest argon2id that the file format allows: the tests are about the keystore, not about its cost.
const components: KeystoreComponents = {
  files: systemPrivateFiles,
  clock: systemClock,
  random: systemRandom,
  argon2Cost: { memoryKib: 64, passes: 1, parallelism: 1 }
}

describe('the keystore', () => {
  let temporary: TemporaryFolder
  let folder: string
  let file: string

  beforeEach(async () => {
    temporary = await createTemporaryFolder()
    folder = join(temporary.path, 'keys')
    file = join(folder, 'identity.json')
  })

  afterEach(async () => {
    await temporary[Symbol.asyncDispose]()
  })

  async function onDisk(): Promise<string> {
    return await readFile(file, 'utf8')
  }

  function base64(bytes: Uint8Array): string {
    return Buffer.from(bytes).toString('base64')
  }

  async function reopen(passphrase?: string): Promise<Keystore> {
    return await openKeystore(folder, components, passphrase === undefined ? {} : { passphrase })
  }

  it('is created without a question and opens to the same identity', async () => {
    const created = await createKeystore(folder, components)
    const opened = await reopen()
    assert.equal(opened.device.did, created.device.did)
    assert.equal(opened.personDid, created.personDid)
    assert.notEqual(opened.personDid, opened.device.did)
    const certificate = openCertificate(opened.certificate)
    assert.equal(certificate.person, opened.personDid)
    assert.equal(certificate.device, opened.device.did)
    assert.equal(certificate.name, undefined, 'peers are told no device name unless the person gives one')
    assert.equal(opened.publisher()?.did, opened.personDid)
    assert.deepEqual(opened.summary().status, { device: 'open', root: 'open', publishing: 'open' })
  })

  it('is a 0600 file in a 0700 folder and leaves nothing else', async () => {
    const mask = process.umask(0)
    try {
      await createKeystore(folder, components)
    } finally {
      process.umask(mask)
    }
    assert.equal((await stat(folder)).mode & 0o777, 0o700)
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    assert.deepEqual(await readdir(folder), ['identity.json'])
  })

  it('is never created over another', async () => {
    const first = await createKeystore(folder, components)
    await assert.rejects(createKeystore(folder, components), { code: 'ERR_KEYSTORE_EXISTS' })
    const from = { words: createWords(systemRandom) }
    await assert.rejects(recoverKeystore(folder, components, { from }), { code: 'ERR_KEYSTORE_EXISTS' })
    assert.equal((await reopen()).device.did, first.device.did)
  })

  it('says so when there is none', async () => {
    await assert.rejects(reopen(), { code: 'ERR_KEYSTORE_MISSING' })
    assert.equal(await readIdentity(folder, components), undefined)
  })

  describe('words', () => {
    it('are shown, then forgotten with the person key', async () => {
      const keystore = await createKeystore(folder, components)
      const words = await keystore.words()
      assert.equal(keysFromWords(words).person.did, keystore.personDid)
      await keystore.forgetRoot()
      assert.equal(keystore.publisher(), undefined)
      await assert.rejects(keystore.words(), { code: 'ERR_KEYSTORE_ROOT_ABSENT' })
      const opened = await reopen()
      assert.deepEqual(opened.summary().status, { device: 'open', root: 'absent', publishing: 'absent' })
      await assert.rejects(opened.words(), { code: 'ERR_KEYSTORE_ROOT_ABSENT' })
      assert.ok(!(await onDisk()).includes(base64(keysFromWords(words).person.seed)))
    })

    it('are forgotten but the person key stays where it publishes', async () => {
      const keystore = await createKeystore(folder, components)
      await keystore.forgetRoot({ keepPublishing: true })
      assert.equal(keystore.publisher()?.did, keystore.personDid)
      assert.equal((await reopen()).publisher()?.did, keystore.personDid)
      await assert.rejects(keystore.words(), { code: 'ERR_KEYSTORE_ROOT_ABSENT' })
    })

    it('bring the person back on another device, with another device key', async () => {
      const keystore = await createKeystore(folder, components)
      const words = await keystore.words()
      const other = join(temporary.path, 'other')
      const recovered = await recoverKeystore(other, components, { from: { words }, deviceName: 'laptop' })
      assert.equal(recovered.personDid, keystore.personDid)
      assert.notEqual(recovered.device.did, keystore.device.did)
      assert.equal(recovered.publisher()?.did, keystore.personDid)
      assert.equal(recovered.summary().deviceName, 'laptop')
      assert.equal(recovered.summary().status.root, 'absent', 'the words are on paper already')
    })

    it('that are wrong recover nothing', async () => {
      const from = { words: 'abandon '.repeat(24) }
      await assert.rejects(recoverKeystore(folder, components, { from }), { code: 'ERR_WORDS_CHECKSUM' })
      assert.equal(await readIdentity(folder, components), undefined)
    })
  })

  describe('under a passphrase', () => {
    it('keeps words and person key shut while the node can still start', async () => {
      const keystore = await createKeystore(folder, components)
      const words = await keystore.words()
      await keystore.lock('correct horse')
      assert.equal(keystore.publisher(), undefined)
      const opened = await reopen()
      assert.equal(opened.device.did, keystore.device.did)
      assert.deepEqual(opened.summary().status, { device: 'open', root: 'locked', publishing: 'locked' })
      assert.equal(opened.publisher(), undefined)
      await assert.rejects(opened.words(), { code: 'ERR_KEYSTORE_LOCKED' })
      await assert.rejects(opened.words({ passphrase: 'wrong' }), { code: 'ERR_PASSPHRASE_WRONG' })
      assert.equal(await opened.words({ passphrase: 'correct horse' }), words)
      assert.ok(!(await onDisk()).includes(base64(keysFromWords(words).person.seed)))
    })

    it('opens the person key for this process alone', async () => {
      const keystore = await createKeystore(folder, components)
      await keystore.lock('correct horse')
      const opened = await reopen()
      await assert.rejects(opened.unlockPublishing('wrong'), { code: 'ERR_PASSPHRASE_WRONG' })
      assert.equal((await opened.unlockPublishing('correct horse')).did, keystore.personDid)
      assert.equal(opened.publisher()?.did, keystore.personDid)
      await opened.refresh()
      assert.equal(opened.publisher()?.did, keystore.personDid, 'reading again shuts nothing')
      assert.equal((await reopen()).publisher(), undefined)
    })

    it('locks the device key too when asked', async () => {
      const keystore = await createKeystore(folder, components)
      await keystore.lock('correct horse', { device: true })
      await assert.rejects(reopen(), { code: 'ERR_KEYSTORE_LOCKED' })
      await assert.rejects(reopen('wrong'), { code: 'ERR_PASSPHRASE_WRONG' })
      assert.equal((await reopen('correct horse')).device.did, keystore.device.did)
      assert.equal((await readIdentity(folder, components))?.deviceDid, keystore.device.did)
      assert.ok(!(await onDisk()).includes(base64(keystore.device.seed)))
    })

    it('takes the passphrase off again', async () => {
      const keystore = await createKeystore(folder, components)
      await keystore.lock('correct horse', { device: true })
      await assert.rejects(keystore.unlock('wrong'), { code: 'ERR_PASSPHRASE_WRONG' })
      await assert.rejects(reopen(), { code: 'ERR_KEYSTORE_LOCKED' })
      await keystore.unlock('correct horse')
      const opened = await reopen()
      assert.deepEqual(opened.summary().status, { device: 'open', root: 'open', publishing: 'open' })
      assert.equal(opened.publisher()?.did, keystore.personDid)
    })

    it('has one passphrase, not two', async () => {
      const keystore = await createKeystore(folder, components)
      await keystore.lock('correct horse')
      await assert.rejects(keystore.lock('another', { device: true }), { code: 'ERR_PASSPHRASE_WRONG' })
      await keystore.lock('correct horse', { device: true })
      assert.equal((await reopen('correct horse')).device.did, keystore.device.did)
    })

    it('refuses an empty passphrase and an endless one', async () => {
      const keystore = await createKeystore(folder, components)
      await assert.rejects(keystore.lock(''), { code: 'ERR_PASSPHRASE_INVALID' })
      await assert.rejects(keystore.lock('x'.repeat(2000)), { code: 'ERR_PASSPHRASE_INVALID' })
      assert.equal((await reopen()).summary().status.root, 'open')
    })

    it('opens no person key that is not there', async () => {
      const keystore = await createKeystore(folder, components)
      await keystore.forgetRoot()
      await assert.rejects(keystore.unlockPublishing('pass'), { code: 'ERR_KEYSTORE_PUBLISHING_ABSENT' })
    })

    it('takes the same characters typed in another Unicode form', async () => {
      const keystore = await createKeystore(folder, components)
      await keystore.lock('caf\u00e9')
      assert.equal((await keystore.unlockPublishing('cafe\u0301')).did, keystore.personDid)
    })

    it('uses argon2id at the cost of RFC 9106 unless told otherwise', async () => {
      const { files, clock, random } = components
      const keystore = await createKeystore(folder, { files, clock, random })
      await keystore.forgetRoot({ keepPublishing: true })
      await keystore.lock('correct horse')
      assert.match(
        await onDisk(),
        /"kdf": "argon2id",\s+"memoryKib": 65536,\s+"passes": 3,\s+"parallelism": 4/
      )
      assert.equal((await keystore.unlockPublishing('correct horse')).did, keystore.personDid)
    })
  })

  describe('export', () => {
    let target: string

    beforeEach(() => {
      target = join(temporary.path, 'backup.json')
    })

    it('writes the words to a new 0600 file, from which the person comes back', async () => {
      const keystore = await createKeystore(folder, components)
      await keystore.exportTo(target)
      assert.equal((await stat(target)).mode & 0o777, 0o600)
      assert.ok((await readFile(target, 'utf8')).includes(await keystore.words()))
      const from = { exportFile: target }
      const recovered = await recoverKeystore(join(temporary.path, 'other'), components, { from })
      assert.equal(recovered.personDid, keystore.personDid)
    })

    it('writes the person key when the words are gone, under a passphrase when asked', async () => {
      const keystore = await createKeystore(folder, components)
      await keystore.forgetRoot({ keepPublishing: true })
      await keystore.lock('lock')
      await assert.rejects(keystore.exportTo(target, { sealWith: 'seal' }), { code: 'ERR_KEYSTORE_LOCKED' })
      await keystore.exportTo(target, { passphrase: 'lock', sealWith: 'seal' })
      const other = join(temporary.path, 'other')
      await assert.rejects(recoverKeystore(other, components, { from: { exportFile: target } }), {
        code: 'ERR_EXPORT_LOCKED'
      })
      const wrong = { exportFile: target, passphrase: 'lock' }
      await assert.rejects(recoverKeystore(other, components, { from: wrong }), {
        code: 'ERR_PASSPHRASE_WRONG'
      })
      const from = { exportFile: target, passphrase: 'seal' }
      assert.equal((await recoverKeystore(other, components, { from })).personDid, keystore.personDid)
    })

    it('refuses to overwrite, to follow a link and to write to a stream', async () => {
      const keystore = await createKeystore(folder, components)
      await writeFile(target, 'precious')
      await assert.rejects(keystore.exportTo(target), { code: 'ERR_FILE_EXISTS' })
      assert.equal(await readFile(target, 'utf8'), 'precious')
      const dangling = join(temporary.path, 'dangling')
      await symlink(join(temporary.path, 'nowhere'), dangling)
      await assert.rejects(keystore.exportTo(dangling), { code: 'ERR_FILE_EXISTS' })
      for (const stream of ['-', '', '/dev/stdout', '/dev/fd/1', '/proc/self/fd/1', '/dev/../dev/stdout']) {
        await assert.rejects(keystore.exportTo(stream), { code: 'ERR_EXPORT_TARGET' }, stream)
      }
      await assert.rejects(keystore.exportTo(join(temporary.path, 'no', 'folder')), { code: 'ERR_FILE_IO' })
    })

    it('says when nothing is left to export', async () => {
      const keystore = await createKeystore(folder, components)
      await keystore.forgetRoot()
      await assert.rejects(keystore.exportTo(target), { code: 'ERR_EXPORT_NOTHING' })
    })

    it('that is no export recovers nothing', async () => {
      const other = join(temporary.path, 'other')
      const recover = recoverKeystore.bind(undefined, other, components, { from: { exportFile: target } })
      await assert.rejects(recover(), { code: 'ERR_FILE_MISSING' })
      for (const content of [
        '',
        '{}',
        'x'.repeat(100_000),
        '{"format":"elastos/identity-export/1","person":"x"}'
      ]) {
        await writeFile(target, content)
        await assert.rejects(recover(), {
          code: content.length > 20_000 ? 'ERR_FILE_TOO_LARGE' : 'ERR_EXPORT_INVALID'
        })
      }
      const keystore = await createKeystore(folder, components)
      await keystore.exportTo(join(temporary.path, 'whole.json'))
      const whole = await readFile(join(temporary.path, 'whole.json'), 'utf8')
      const stranger = keysFromWords(createWords(systemRandom)).person.did
      await writeFile(target, whole.replace(keystore.personDid, stranger))
      await assert.rejects(recover(), { code: 'ERR_EXPORT_INVALID' })
    })
  })
})
