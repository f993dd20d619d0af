import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock, systemRandom } from '#contracts'
import {
  createKeystore,
  openKeystore,
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

describe('the keystore on a disk that is not as it was left', () => {
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

  async function reopen(passphrase?: string): Promise<Keystore> {
    return await openKeystore(folder, components, passphrase === undefined ? {} : { passphrase })
  }

  it('refuses a file that others may read, with the command that mends it', async () => {
    await createKeystore(folder, components)
    for (const mode of [0o640, 0o604, 0o660, 0o601]) {
      await chmod(file, mode)
      await assert.rejects(reopen(), {
        code: 'ERR_FILE_EXPOSED',
        message: new RegExp(`chmod 600 '${file}'`)
      })
    }
    await chmod(file, 0o600)
    await chmod(folder, 0o750)
    await assert.rejects(reopen(), {
      code: 'ERR_FILE_EXPOSED',
      message: new RegExp(`chmod 700 '${folder}'`)
    })
    await chmod(folder, 0o700)
    await reopen()
  })

  it('follows no link and waits on no pipe', async () => {
    await mkdir(folder, { mode: 0o700 })
    await symlink('/etc/hostname', file)
    await assert.rejects(reopen(), { code: 'ERR_FILE_KIND' })
    const real = join(temporary.path, 'real')
    await createKeystore(real, components)
    const linked = join(temporary.path, 'linked')
    await symlink(real, linked)
    await assert.rejects(openKeystore(linked, components), { code: 'ERR_FILE_KIND' })
  })

  it('refuses a file with any byte changed, and does not write over it', async () => {
    await createKeystore(folder, components)
    const whole = await readFile(file)
    for (let at = 0; at < whole.length; at += 13) {
      const damaged = Buffer.from(whole)
      damaged[at] = (damaged[at] ?? 0) ^ 1
      await writeFile(file, damaged)
      // A changed white space between fields changes nothing that is kept.
      const isBlank = /\s/.test(String.fromCharCode(whole[at] ?? 0))
      if (!isBlank) await assert.rejects(reopen(), { code: 'ERR_KEYSTORE_CORRUPT' }, `byte ${at}`)
      await assert.rejects(createKeystore(folder, components), { code: 'ERR_KEYSTORE_EXISTS' })
      assert.deepEqual(await readFile(file), damaged)
    }
  })

  it('refuses an empty, a cut, a huge and a foreign file', async () => {
    await createKeystore(folder, components)
    const whole = await onDisk()
    const cases = [
      '',
      '\0\0\0',
      whole.slice(0, 200),
      '[]',
      'null',
      '{"format":"elastos/keystore/2","sha256":""}'
    ]
    for (const content of cases) {
      await writeFile(file, content)
      await assert.rejects(reopen(), { code: 'ERR_KEYSTORE_CORRUPT' }, content)
    }
    await writeFile(file, whole.padEnd(1_000_000))
    await assert.rejects(reopen(), { code: 'ERR_FILE_TOO_LARGE' })
  })

  it('notices that the keystore of a running node was taken away or exchanged', async () => {
    const keystore = await createKeystore(folder, components)
    await rm(file)
    await assert.rejects(keystore.refresh(), { code: 'ERR_KEYSTORE_MISSING' })
    await createKeystore(folder, components)
    await assert.rejects(keystore.refresh(), { code: 'ERR_KEYSTORE_MISSING' })
    await assert.rejects(keystore.forgetRoot(), { code: 'ERR_KEYSTORE_MISSING' })
    assert.equal((await reopen()).summary().status.root, 'open')
  })

  it('refuses secrets that belong to another identity', async () => {
    await createKeystore(folder, components)
    const other = join(temporary.path, 'other')
    await createKeystore(other, components)
    const mine = JSON.parse(await onDisk()) as Record<string, unknown>
    const theirs = JSON.parse(await readFile(join(other, 'identity.json'), 'utf8')) as Record<string, unknown>
    for (const field of ['person', 'certificate', 'device', 'publishing']) {
      const { sha256: _, ...body } = { ...mine, [field]: theirs[field] }
      // Whoever can write the file can write its digest too.
      const sha256 = createHash('sha256').update(JSON.stringify(body)).digest('hex')
      await writeFile(file, JSON.stringify({ ...body, sha256 }))
      await assert.rejects(reopen(), { code: 'ERR_KEYSTORE_CORRUPT' }, field)
    }
  })

  it('takes over the lock of a process that is gone, and respects one that runs', async () => {
    const keystore = await createKeystore(folder, components)
    const lock = join(folder, 'identity.lock')
    await writeFile(lock, `${process.ppid} 00ff\n`, { mode: 0o600 })
    await assert.rejects(keystore.forgetRoot(), { code: 'ERR_KEYSTORE_BUSY', message: /process \d+ holds/ })
    assert.equal((await reopen()).summary().status.root, 'open', 'reading needs no lock')
    for (const stale of ['4194999 00ff\n', '', 'garbage', `${process.pid} of-an-earlier-life\n`]) {
      await writeFile(lock, stale, { mode: 0o600 })
      await keystore.forgetRoot({ keepPublishing: true })
    }
    assert.deepEqual(await readdir(folder), ['identity.json'])
  })

  it('lets one of two writers through and loses neither change', async () => {
    const first = await createKeystore(folder, components)
    const second = await reopen()
    const results = await Promise.allSettled([first.lock('pass'), second.lock('pass'), second.lock('pass')])
    const refused = results.filter((result) => result.status === 'rejected')
    assert.ok(refused.length < 3)
    for (const { reason } of refused) assert.equal((reason as { code: string }).code, 'ERR_KEYSTORE_BUSY')
    await second.forgetRoot({ keepPublishing: true })
    assert.deepEqual((await reopen()).summary().status, {
      device: 'open',
      root: 'absent',
      publishing: 'locked'
    })
    assert.deepEqual(await readdir(folder), ['identity.json'])
  })
})
