import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { MachineInit } from '#vmm'
import { handedOver, openLab, type Lab } from './machine-pool-lab.ts'

/** A machine with an image of `name`, whose content is its name. */
async function withImage(lab: Lab, name: string): Promise<Partial<MachineInit>> {
  const path = join(lab.folder, name)
  await writeFile(path, name)
  const hash = createHash('sha256').update(name).digest('hex')
  return { disks: [{ path, isReadOnly: true, hash }] }
}

/** What the machines that were started so far have as their memory. */
function memories(lab: Lab): string[] {
  return lab.host.machines.map(({ memory }) => memory)
}

describe('a template of an image', () => {
  it('is made when the image is asked for again, and machines of that image alone start from it', async () => {
    await using lab = await openLab()
    const pool = lab.openPool({ warmMax: 0 })
    const [image, other] = [await withImage(lab, 'one'), await withImage(lab, 'other')]
    await lab.run(pool, image)
    assert.deepEqual(lab.roles(), ['become', 'start'])
    await lab.run(pool, image)
    assert.deepEqual(lab.roles(), ['start', 'become'])
    const made = lab.host.machines.at(-1)
    assert.equal(made?.hasMounted, true)
    assert.deepEqual(made?.told.slice(-4), ['blockdev-add', 'blockdev-reopen', 'stop', 'migrate'])
    await lab.run(pool, image)
    await lab.run(pool, other)
    assert.deepEqual(lab.roles(), ['start', 'start'])
    const [ofAny = '', , , , ofImage = '', ofOther = ''] = memories(lab)
    assert.notEqual(ofImage, memories(lab)[1], 'not where those of any image start')
    assert.equal(ofOther, memories(lab)[1])
    assert.notEqual(ofOther, ofAny, 'it was moved when it was whole')
    assert.deepEqual(await handedOver(lab), [])
    assert.deepEqual(lab.warnings, [])
  })

  it('is not used by one of another kind, and not while a machine waits', async () => {
    await using lab = await openLab()
    const image = await withImage(lab, 'one')
    const pool = lab.openPool()
    for (let count = 0; count < 3; count += 1) await lab.run(pool, image)
    const ofAny = memories(lab)[1]
    const [made] = lab.host.machines.filter(({ hasMounted }) => hasMounted)
    assert.ok(made)
    const waiting = lab.host.machines.filter(({ rehearsals }) => rehearsals > 0)
    assert.ok(waiting.length > 1)
    assert.ok(
      waiting.every(({ memory }) => memory === ofAny),
      'one that waits can have any image'
    )
    lab.roles()
    await lab.run(pool, { ...image, limits: { memoryMib: 112, cpuSecondsMax: 10 } })
    assert.equal(lab.roles()[0], 'become')
  })

  it('is kept, and used once it was seen to be whole', async () => {
    await using lab = await openLab()
    const image = await withImage(lab, 'one')
    const first = lab.openPool({ warmMax: 0 })
    for (let count = 0; count < 3; count += 1) await lab.run(first, image)
    const ofImage = memories(lab).at(-1)
    const ofAny = memories(lab)[1]
    lab.roles()
    const pool = lab.openPool({ warmMax: 0 })
    for (let count = 0; count < 3; count += 1) await lab.run(pool, image)
    assert.deepEqual(lab.roles(), ['start', 'start', 'start'])
    assert.deepEqual(memories(lab).slice(-3), [ofAny, ofAny, ofImage])
  })

  it('is none of an image that is not as it was named, of one that is gone, or of a guest of before that', async () => {
    await using lab = await openLab()
    const changed = await withImage(lab, 'changed')
    await writeFile(join(lab.folder, 'changed'), 'another')
    const pool = lab.openPool({ warmMax: 0 })
    for (let count = 0; count < 3; count += 1) await lab.run(pool, changed)
    assert.deepEqual(lab.roles(), ['become', 'start', 'start', 'start'])
    const gone = await withImage(lab, 'gone')
    await lab.run(pool, gone)
    lab.host.onTold = (command) => {
      if (command === 'cont') rmSync(join(lab.folder, 'gone'), { force: true })
    }
    await lab.run(pool, gone)
    lab.host.onTold = () => undefined
    assert.deepEqual(lab.roles(), ['start', 'start'])
    lab.host.rehearsing = 'not'
    const old = { ...(await withImage(lab, 'old')), limits: { memoryMib: 112, cpuSecondsMax: 10 } }
    for (let count = 0; count < 3; count += 1) await lab.run(pool, old)
    assert.deepEqual(lab.roles(), ['become', 'start', 'start', 'start'])
    assert.deepEqual(lab.warnings, [])
  })

  it('takes the place of no template without an image, however many kinds and images there are', async () => {
    await using lab = await openLab()
    const pool = lab.openPool({ warmMax: 0, spareMax: 0 })
    const kinds = await Promise.all(
      [96, 112, 128].map(async (memoryMib) => ({
        ...(await withImage(lab, `image of ${memoryMib}`)),
        limits: { memoryMib, cpuSecondsMax: 10 }
      }))
    )
    const runAll = async (all: readonly Partial<MachineInit>[]): Promise<string[]> => {
      for (const one of all) await lab.run(pool, one)
      return lab.roles()
    }
    assert.deepEqual(await runAll(kinds), ['become', 'start', 'become', 'start', 'become', 'start'])
    for (const one of kinds) await runAll([one, one])
    assert.deepEqual(await runAll([...kinds, ...kinds]), Array(6).fill('start'))
    const others = await Promise.all(['one', 'two', 'three', 'four'].map((name) => withImage(lab, name)))
    assert.deepEqual(await runAll([...others, ...others]), Array(8).fill('start'))
    assert.deepEqual(lab.warnings, [])
  })

  it('is asked for without its image being read again, once it is there or done without', async () => {
    await using lab = await openLab()
    const image = await withImage(lab, 'one')
    const { powers } = lab.host
    const hashFile = powers.hashFile.bind(powers)
    let hashed = 0
    powers.hashFile = async (path) => {
      if (path === image.disks?.[0]?.path) hashed += 1
      return await hashFile(path)
    }
    const pool = lab.openPool({ warmMax: 0 })
    for (let count = 0; count < 5; count += 1) await lab.run(pool, image)
    assert.equal(hashed, 1)
  })

  it('is given up after its guest could not mount it twice, while machines start as before', async () => {
    await using lab = await openLab()
    const image = await withImage(lab, 'one')
    lab.host.canMount = false
    const pool = lab.openPool({ warmMax: 0 })
    for (let count = 0; count < 5; count += 1) await lab.run(pool, image)
    assert.deepEqual(lab.roles(), ['become', 'start', 'start', 'become', 'start', 'become', 'start', 'start'])
    assert.deepEqual(lab.warnings, ['machines start without their template'])
  })

  it('is done without after two machines did not go on from it', async () => {
    await using lab = await openLab()
    const image = await withImage(lab, 'one')
    const pool = lab.openPool({ warmMax: 0 })
    for (let count = 0; count < 3; count += 1) await lab.run(pool, image)
    const ofAny = memories(lab)[1]
    const ofImage = memories(lab).at(-1)
    for (let count = 0; count < 2; count += 1) {
      lab.host.onTold = (command) => {
        if (command !== 'migrate-incoming') return
        lab.host.onTold = () => lab.host.refused.clear()
        lab.host.refused.add('migrate-incoming')
      }
      await lab.run(pool, image)
      assert.deepEqual(memories(lab).slice(-2), [ofImage, ofAny])
    }
    assert.deepEqual(lab.warnings, ['machines start without their template'])
    await lab.run(pool, image)
    assert.equal(memories(lab).at(-1), ofAny)
  })
})
