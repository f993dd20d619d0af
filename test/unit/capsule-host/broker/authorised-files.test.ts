import assert from 'node:assert/strict'
import type { CapsuleFiles } from '../../../../capsule-host/files/files.ts'
import { createMemoryFiles } from '../../../../capsule-host/files/memory-files.ts'
import { BARE_SESSION, openBrokerLab, type BrokerLab } from '../../../support/capsule-broker.ts'

const hello = Buffer.from('hello')
const WRITING = { isWriting: true, isCreating: true }

describe('files behind the broker', () => {
  let lab: BrokerLab
  let inner: CapsuleFiles
  let files: CapsuleFiles

  const grant = async (
    command: string,
    resource: string,
    scope: 'once' | 'always' = 'always'
  ): Promise<string> => {
    const { cid } = await lab.authority.grant({
      ...{ lineage: BARE_SESSION.lineage, command, resource, scope, decidedBy: 'person' }
    })
    return cid
  }
  const put = async (path: string): Promise<void> => {
    const handle = await inner.open(path, WRITING)
    await handle.write(0, hello)
    await handle.close()
  }

  beforeEach(async () => {
    lab = await openBrokerLab()
    lab.decide = async () => ({ isAllowed: false, isDurable: false, decidedBy: 'person' })
    inner = createMemoryFiles({ clock: lab.clock, bytesMax: 1_000_000 })
    const session = lab.broker.open({ ...BARE_SESSION, id: 'files' })
    session.channel({ send: () => undefined, waitingBytes: 0, fail: () => undefined })
    files = session.files(inner)
    await put('a.txt')
  })
  afterEach(async () => {
    await lab[Symbol.asyncDispose]()
  })

  it('let nothing happen without a token', async () => {
    const tries: (() => Promise<unknown>)[] = [
      async () => await files.stat('a.txt'),
      async () => await files.list(''),
      async () => await files.open('a.txt', {}),
      async () => await files.open('a.txt', { isWriting: true }),
      async () => await files.open('a.txt', { isTruncating: true }),
      async () => await files.open('b.txt', { isCreating: true }),
      async () => await files.makeFolder('f'),
      async () => await files.remove('a.txt'),
      async () => await files.removeFolder('a.txt'),
      async () => await files.rename('a.txt', 'b.txt'),
      async () => await files.setTimes('a.txt', { modifiedNs: 0n })
    ]
    for (const attempt of tries) await assert.rejects(attempt(), { code: 'ERR_FILE_DENIED' })
    assert.equal((await inner.list('')).length, 1)
  })

  it('are read by a token for reading, and not written', async () => {
    await grant('localhost/read', 'localhost://a.txt')
    const handle = await files.open('a.txt', {})
    assert.deepEqual(Buffer.from(await handle.read(0, 10)), hello)
    assert.equal((await files.stat('a.txt')).bytes, 5)
    await assert.rejects(handle.write(0, hello), { code: 'ERR_FILE_DENIED' })
    await assert.rejects(handle.truncate(0), { code: 'ERR_FILE_DENIED' })
    await assert.rejects(files.remove('a.txt'), { code: 'ERR_FILE_DENIED' })
    await assert.rejects(files.open('a.txt', { isWriting: true }), { code: 'ERR_FILE_DENIED' })
    await handle.close()
  })

  it('are written by a token for writing, and not read', async () => {
    await grant('localhost/write', 'localhost://a.txt')
    const handle = await files.open('a.txt', { isWriting: true })
    await handle.write(0, Buffer.from('J'))
    await assert.rejects(handle.read(0, 10), { code: 'ERR_FILE_DENIED' })
    await handle.close()
  })

  it('are closed to a handle whose token was revoked or ran out', async () => {
    const cid = await grant('localhost/read', 'localhost://a.txt')
    const handle = await files.open('a.txt', {})
    await handle.read(0, 1)
    await lab.authority.revoke(cid)
    await assert.rejects(handle.read(0, 1), { code: 'ERR_FILE_DENIED' })
    await handle.close()
  })

  it('take one use when they are opened, however often they are read', async () => {
    await grant('localhost/read', 'localhost://a.txt', 'once')
    const handle = await files.open('a.txt', {})
    await handle.read(0, 1)
    await handle.read(1, 1)
    await assert.rejects(files.open('a.txt', {}), { code: 'ERR_FILE_DENIED' })
    await handle.close()
  })

  it('do not become readable by moving them where reading is allowed', async () => {
    await inner.makeFolder('open')
    await grant('localhost/read', 'localhost://open/*')
    await grant('localhost/write', 'localhost://*')
    await grant('localhost/delete', 'localhost://*')
    await assert.rejects(files.rename('a.txt', 'open/a.txt'), { code: 'ERR_FILE_DENIED' })
    await grant('localhost/read', 'localhost://a.txt')
    await files.rename('a.txt', 'open/a.txt')
  })

  it('move as a folder only where all in it may be moved', async () => {
    await inner.makeFolder('f')
    await put('f/x')
    for (const verb of ['read', 'write', 'delete']) {
      await grant(`localhost/${verb}`, 'localhost://f')
      await grant(`localhost/${verb}`, 'localhost://g')
    }
    await assert.rejects(files.rename('f', 'g'), { code: 'ERR_FILE_DENIED' })
    for (const verb of ['read', 'write', 'delete']) await grant(`localhost/${verb}`, 'localhost://*')
    await files.rename('f', 'g')
    assert.equal((await inner.list('g')).length, 1)
  })

  it('have no name that a resource cannot have', async () => {
    await grant('localhost/*', 'localhost://*')
    for (const path of ['a%2f', 'a*', 'a\\b', 'u\u0308', 'a\u202eb', '..', 'a//b']) {
      await assert.rejects(files.stat(path), { code: 'ERR_FILE_PATH' }, path)
    }
  })

  it('are asked about when they are needed, by the line of the manifest, once', async () => {
    lab.decide = async () => ({ isAllowed: true, scope: 'session', decidedBy: 'person' })
    await (await files.open('a.txt', {})).close()
    await files.makeFolder('f')
    assert.deepEqual(
      lab.questions.map(({ command, resource }) => [command, resource]),
      [['localhost/*', 'localhost://*']]
    )
  })
})
