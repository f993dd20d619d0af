import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { FileHandle } from '../../../capsule-host/files/files.ts'
import type { VaultRoot } from '../../../capsule-host/vault/vault.ts'
import { diskAfterCrash, MemoryDisk } from '../../support/vault-disk.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { readTree, testRoot, writeFile } from '../../support/vaults.ts'

const NAME = fc.constantFrom('a', 'b', 'c', 'd')
const LENGTH = fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 60_000, max: 200_000 }))

type Step =
  | { readonly do: 'write'; readonly name: string; readonly length: number; readonly fill: number }
  | { readonly do: 'patch'; readonly name: string; readonly offset: number; readonly length: number }
  | { readonly do: 'remove' | 'makeFolder'; readonly name: string }
  | { readonly do: 'rename'; readonly name: string; readonly to: string }
  | { readonly do: 'scribble'; readonly offset: number; readonly length: number; readonly fill: number }
  | { readonly do: 'release' | 'flush' | 'snapshot' | 'restore' | 'drop' }

const STEP: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('write' as const),
    name: NAME,
    length: LENGTH,
    fill: fc.integer({ min: 1, max: 255 })
  }),
  fc.record({
    do: fc.constant('patch' as const),
    name: NAME,
    offset: LENGTH,
    length: fc.integer({ min: 1, max: 9 })
  }),
  fc.record({ do: fc.constantFrom('remove' as const, 'makeFolder' as const), name: NAME }),
  fc.record({ do: fc.constant('rename' as const), name: NAME, to: NAME }),
  fc.record({
    do: fc.constant('scribble' as const),
    offset: LENGTH,
    length: fc.integer({ min: 1, max: 70_000 }),
    fill: fc.integer({ min: 1, max: 255 })
  }),
  fc.record({
    do: fc.constantFrom(
      'release' as const,
      'flush' as const,
      'snapshot' as const,
      'restore' as const,
      'drop' as const
    )
  })
)

/** The root under test, and one file that stays open and half written while other things are made durable. */
interface Bench {
  readonly root: VaultRoot
  held: FileHandle | undefined
  /** What of that file anybody was promised. */
  published: string | undefined
}

const HELD = 'held'

/** Runs a step and says whether it promised that everything is durable. */
async function run(bench: Bench, step: Step): Promise<boolean> {
  const { root } = bench
  switch (step.do) {
    case 'write':
      await writeFile(root, step.name, new Uint8Array(step.length).fill(step.fill))
      return false
    case 'patch': {
      await using file = disposable(await root.open(step.name, { isWriting: true }))
      await file.handle.write(step.offset, new Uint8Array(step.length).fill(7))
      await file.handle.sync()
      return true
    }
    case 'remove':
    case 'makeFolder':
      await root[step.do](step.name)
      return false
    case 'rename':
      await root.rename(step.name, step.to)
      return false
    case 'scribble':
      bench.held ??= await root.open(HELD, { isCreating: true, isWriting: true })
      bench.published ??= ''
      await bench.held.write(step.offset, new Uint8Array(step.length).fill(step.fill))
      return false
    case 'release':
      await bench.held?.close()
      bench.held = undefined
      bench.published = await heldContent(root)
      return false
    case 'flush':
      await root.flush()
      return true
    case 'snapshot':
      await root.snapshot()
      bench.published = await heldContent(root)
      return true
    case 'restore':
    case 'drop': {
      const [oldest] = await root.snapshots()
      if (oldest === undefined) return false
      await (step.do === 'drop' ? root.dropSnapshot(oldest.id) : root.restore(oldest.id))
      if (step.do === 'restore') bench.published = await heldContent(root)
      return true
    }
  }
}

async function heldContent(root: VaultRoot): Promise<string | undefined> {
  return (await readTree(root)).get(HELD) ?? undefined
}

/** What must be found when what is published now is durable. */
async function publishedTree({ root, published }: Bench): Promise<Map<string, string | null>> {
  const tree = await readTree(root)
  if (published !== undefined) tree.set(HELD, published)
  return tree
}

function disposable<T extends { close(): Promise<void> }>(handle: T): { handle: T } & AsyncDisposable {
  return { handle, [Symbol.asyncDispose]: async () => await handle.close() }
}

/** What all files were after some step, and from how many steps of the disk on that, or later, must be found. */
interface State {
  readonly tree: ReadonlyMap<string, string | null>
  durableFrom: number
}

/** Runs the steps and notes every state. Refusals are part of life: they change nothing. */
async function statesOf(disk: MemoryDisk, steps: readonly Step[]): Promise<State[]> {
  const root = await testRoot(disk)
  const bench: Bench = { root, held: undefined, published: undefined }
  const states: State[] = [{ tree: new Map(), durableFrom: disk.steps.length }]
  for (const step of steps) {
    let isDurable = false
    try {
      isDurable = await run(bench, step)
    } catch (thrown) {
      assert.match(String((thrown as { code?: unknown }).code), /^ERR_FILE_/)
    }
    states.push({ tree: await publishedTree(bench), durableFrom: isDurable ? disk.steps.length : Infinity })
  }
  await run(bench, { do: 'release' })
  states.push({ tree: await readTree(root), durableFrom: Infinity })
  await root[Symbol.asyncDispose]()
  states.push({ ...states.at(-1)!, durableFrom: disk.steps.length })
  return states
}

describe('vault, after a power cut', () => {
  it('holds the last state that was promised or a later one, whole, whatever of the rest reached the disk', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(STEP, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 0, max: 2 ** 31 }),
        async (steps, seed) => {
          const disk = new MemoryDisk()
          const states = await statesOf(disk, steps)
          const random = createSeededRandom(seed)
          for (let count = 0; count <= disk.steps.length; count++) {
            const broken = diskAfterCrash(disk.steps, count, (bytes) => {
              const chance = random.unit()
              return chance < 0.4 ? true : chance < 0.7 ? false : Math.floor(random.unit() * bytes)
            })
            const least = states.findLastIndex((state) => state.durableFrom <= count)
            const root = await testRoot(broken)
            const found = await readTree(root)
            const allowed = states.slice(Math.max(0, least))
            assert.ok(
              allowed.some(({ tree }) => isSame(tree, found)),
              `after ${count} of ${disk.steps.length} steps: ${[...found.keys()].join()} is none of ${allowed.length} states`
            )
            await writeFile(root, 'later', 'still writable')
            await root.flush()
            await root[Symbol.asyncDispose]()
          }
        }
      ),
      { numRuns: 60 }
    )
  })
})

function isSame(a: ReadonlyMap<string, string | null>, b: ReadonlyMap<string, string | null>): boolean {
  return a.size === b.size && [...a].every(([path, content]) => b.get(path) === content)
}
