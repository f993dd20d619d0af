import assert from 'node:assert/strict'
import { createCapsuleLogs, createLineCutter, createLogFiles, type LogLine } from '#capsule-host'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createTemporaryFolder } from '../../../support/temporary-folder.ts'

const LINEAGE = 'did:key:z6Mk/../../etc'
const clock = { nowMs: () => 1000 }
const line = (text: string): Omit<LogLine, 'timeMs'> => ({ run: 1, from: 'stdout', text })

describe('the log of a capsule', () => {
  it('gives back its last lines, and nothing in them steers a terminal', async () => {
    await using folder = await createTemporaryFolder()
    const logs = createCapsuleLogs({ files: createLogFiles(folder.path), clock })
    await logs.append(LINEAGE, [line('one'), line('\u001b[31mtwo\u0007'), line('x'.repeat(5000))])
    const [two, three] = await logs.tail(LINEAGE, 2)
    assert.equal(two?.text, '?[31mtwo?')
    assert.equal(three?.text.length, 2000)
    assert.deepEqual(await logs.tail('did:key:other/name', 5), [])
  })

  it('takes two files of a bounded size, whatever is written', async () => {
    await using folder = await createTemporaryFolder()
    const logs = createCapsuleLogs({ files: createLogFiles(folder.path), clock })
    const lines = Array.from({ length: 100 }, () => line('y'.repeat(2000)))
    for (let round = 0; round < 20; round++) await logs.append(LINEAGE, lines)
    await logs.append(LINEAGE, [line('last')])
    const names = await readdir(folder.path)
    assert.equal(names.length, 2)
    for (const name of names) {
      const { size, mode } = await stat(join(folder.path, name))
      assert(size <= 1024 * 1024)
      assert.equal(mode & 0o077, 0)
    }
    assert.equal((await logs.tail(LINEAGE, 1))[0]?.text, 'last')
    await logs.remove(LINEAGE)
    assert.deepEqual(await readdir(folder.path), [])
  })

  it('drops what the disk does not take rather than keeping it in memory', async () => {
    let written = 0
    const disk = Promise.withResolvers<undefined>()
    const nothing = async (): Promise<void> => await Promise.resolve()
    const files = {
      ...{ rename: nothing, remove: nothing },
      append: async () => {
        await disk.promise
        written++
      },
      size: async () => await Promise.resolve(0),
      readEnd: async () => await Promise.resolve('')
    }
    const logs = createCapsuleLogs({ files, clock })
    const appended = Array.from({ length: 5000 }, async () => await logs.append(LINEAGE, [line('x')]))
    disk.resolve(undefined)
    await Promise.all(appended)
    assert.equal(written, 512)
  })

  it('is followed line by line', async () => {
    await using folder = await createTemporaryFolder()
    const logs = createCapsuleLogs({ files: createLogFiles(folder.path), clock })
    const seen: string[] = []
    {
      using _following = logs.follow(LINEAGE, (lines) => seen.push(...lines.map(({ text }) => text)))
      await logs.append(LINEAGE, [line('a')])
    }
    await logs.append(LINEAGE, [line('b')])
    assert.deepEqual(seen, ['a'])
  })

  it('has lines cut where they end, however the bytes came, and never keeps one that does not end', async () => {
    const lines: string[] = []
    const cutter = createLineCutter(async (more) => {
      lines.push(...more)
      await Promise.resolve()
    })
    const bytes = new TextEncoder().encode('grüße\r\nzwei\nrest')
    for (const byte of bytes) await cutter.write(Uint8Array.of(byte))
    await cutter.end()
    assert.deepEqual(lines, ['grüße', 'zwei', 'rest'])
    await cutter.write(new Uint8Array(5000).fill(0x61))
    assert.equal(lines.at(-1)?.length, 5000)
  })
})
