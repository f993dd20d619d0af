import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmod, mkdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { systemClock } from '#contracts'
import { listenForCommands, openLog, prepareDataFolder } from '../../../node/powers.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

describe('the control socket', () => {
  it('is closed and gone when it stops, though a caller reads nothing of what it was sent', async () => {
    await using folder = await createTemporaryFolder()
    const accepted = Promise.withResolvers<undefined>()
    const listening = await listenForCommands(folder.path, async (connection) => {
      // More than the socket takes at once.
      void connection.write('x'.repeat(4 * 1024 * 1024)).catch(() => undefined)
      accepted.resolve(undefined)
      await Promise.resolve()
    })
    const caller = connect(listening.path)
    caller.pause()
    caller.on('error', () => undefined)
    try {
      await once(caller, 'connect')
      await accepted.promise
      await listening[Symbol.asyncDispose]()
      await assert.rejects(stat(listening.path), { code: 'ENOENT' })
    } finally {
      caller.destroy()
    }
  })

  it('is for its owner alone', async () => {
    await using folder = await createTemporaryFolder()
    await using listening = await listenForCommands(folder.path, async () => await Promise.resolve())
    assert.equal((await stat(listening.path)).mode & 0o777, 0o600)
  })
})

describe('the log of a node', () => {
  it('goes on when somebody removed it before it was full', async () => {
    await using folder = await createTemporaryFolder()
    const path = join(folder.path, 'log', 'node.log')
    prepareDataFolder(folder.path)
    await openLog(path, systemClock)[Symbol.asyncDispose]()
    await truncate(path, 8 * 1024 * 1024)
    const logger = openLog(path, systemClock)
    await rm(path)
    logger.info('full')
    logger.info('after')
    await logger[Symbol.asyncDispose]()
    assert.match(await readFile(path, 'utf8'), /"event":"full".*\n.*"event":"after"/)
  })

  it('keeps the one before when it is full', async () => {
    await using folder = await createTemporaryFolder()
    const path = join(folder.path, 'log', 'node.log')
    await openLog(path, systemClock)[Symbol.asyncDispose]()
    await truncate(path, 8 * 1024 * 1024)
    const logger = openLog(path, systemClock)
    logger.info('first of the new one')
    await logger[Symbol.asyncDispose]()
    assert.equal((await stat(`${path}.1`)).size, 8 * 1024 * 1024)
    assert.equal((await stat(path)).mode & 0o777, 0o600)
    assert.match(await readFile(path, 'utf8'), /first of the new one/)
  })
})

describe('the data folder', () => {
  it('is made for its owner alone', async () => {
    await using folder = await createTemporaryFolder()
    const path = join(folder.path, 'new', 'data')
    prepareDataFolder(path)
    assert.equal((await stat(path)).mode & 0o777, 0o700)
  })

  it('is closed to others when it is empty or was one before', async () => {
    await using folder = await createTemporaryFolder()
    await chmod(folder.path, 0o755)
    prepareDataFolder(folder.path)
    assert.equal((await stat(folder.path)).mode & 0o777, 0o700)
    await mkdir(join(folder.path, 'keys'), { mode: 0o700 })
    await chmod(folder.path, 0o755)
    prepareDataFolder(folder.path)
    assert.equal((await stat(folder.path)).mode & 0o777, 0o700)
  })

  it('is not made of a folder that holds something else, whose mode stays', async () => {
    await using folder = await createTemporaryFolder()
    await writeFile(join(folder.path, 'report.txt'), 'shared')
    await chmod(folder.path, 0o755)
    assert.throws(() => prepareDataFolder(folder.path), { code: 'ERR_DATA_FOLDER' })
    assert.equal((await stat(folder.path)).mode & 0o777, 0o755)
  })
})
