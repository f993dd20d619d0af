import assert from 'node:assert/strict'
import fc from 'fast-check'
import { errorCode } from '#contracts'
import type { CapsuleFiles, FileHandle } from '../../../capsule-host/files/files.ts'
import { createMemoryFiles } from '../../../capsule-host/files/memory-files.ts'
import type { VaultRoot } from '../../../capsule-host/vault/vault.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'
import { MemoryDisk } from '../../support/vault-disk.ts'
import { testRoot } from '../../support/vaults.ts'

const QUOTA_BYTES = 600_000
/** Offsets and lengths around the borders of chunks. */
const SIZE = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: 65_500, max: 65_600 }),
  fc.integer({ min: 131_000, max: 131_100 }),
  fc.integer({ min: 0, max: 250_000 })
)
const PATH = fc.constantFrom('a', 'b', 'c', 'd', 'd/a', 'd/e', 'd/e/f', 'ä', 'd/ä', '')
const SLOT = fc.integer({ min: 0, max: 3 })

type Step =
  | { readonly do: 'open'; readonly slot: number; readonly path: string; readonly flags: number }
  | {
      readonly do: 'write'
      readonly slot: number
      readonly offset: number
      readonly length: number
      readonly fill: number
    }
  | { readonly do: 'truncate'; readonly slot: number; readonly bytes: number }
  | { readonly do: 'read'; readonly slot: number; readonly offset: number; readonly length: number }
  | { readonly do: 'sync' | 'close'; readonly slot: number }
  | { readonly do: 'makeFolder' | 'remove' | 'removeFolder' | 'list' | 'stat'; readonly path: string }
  | { readonly do: 'rename'; readonly path: string; readonly to: string }
  | { readonly do: 'reopen' }

const STEP: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('open' as const),
    slot: SLOT,
    path: PATH,
    flags: fc.integer({ min: 0, max: 15 })
  }),
  fc.record({
    do: fc.constant('write' as const),
    slot: SLOT,
    offset: SIZE,
    length: SIZE.map((size) => size + 1),
    fill: fc.integer({ min: 1, max: 255 })
  }),
  fc.record({ do: fc.constant('truncate' as const), slot: SLOT, bytes: SIZE }),
  fc.record({ do: fc.constant('read' as const), slot: SLOT, offset: SIZE, length: SIZE }),
  fc.record({ do: fc.constantFrom('sync' as const, 'close' as const), slot: SLOT }),
  fc.record({
    do: fc.constantFrom(
      'makeFolder' as const,
      'remove' as const,
      'removeFolder' as const,
      'list' as const,
      'stat' as const
    ),
    path: PATH
  }),
  fc.record({ do: fc.constant('rename' as const), path: PATH, to: PATH }),
  fc.constant({ do: 'reopen' as const })
)

/** One side of the comparison and the handles that are open on it. */
interface Side {
  files: CapsuleFiles
  readonly handles: (FileHandle | undefined)[]
}

// eslint-disable-next-line complexity -- one case a kind of step
async function run(side: Side, step: Exclude<Step, { do: 'reopen' }>): Promise<unknown> {
  const { files, handles } = side
  switch (step.do) {
    case 'open': {
      await handles[step.slot]?.close()
      handles[step.slot] = undefined
      handles[step.slot] = await files.open(step.path, {
        isCreating: (step.flags & 1) !== 0,
        isExclusive: (step.flags & 2) !== 0,
        isTruncating: (step.flags & 4) !== 0,
        isWriting: true
      })
      return 'opened'
    }
    case 'write':
      await handles[step.slot]?.write(step.offset, pattern(step.length, step.fill))
      return 'written'
    case 'truncate':
      await handles[step.slot]?.truncate(step.bytes)
      return (await handles[step.slot]?.stat())?.bytes
    case 'read':
      return hash(await handles[step.slot]?.read(step.offset, step.length))
    case 'sync':
      await handles[step.slot]?.sync()
      return 'synced'
    case 'close':
      await handles[step.slot]?.close()
      handles[step.slot] = undefined
      return 'closed'
    case 'makeFolder':
    case 'remove':
    case 'removeFolder':
      await files[step.do](step.path)
      return 'done'
    case 'list':
      return (await files.list(step.path)).map(({ name, kind }) => `${kind} ${name}`).sort()
    case 'stat': {
      const { kind, bytes, linkCount } = await files.stat(step.path)
      return { kind, bytes, linkCount }
    }
    case 'rename':
      await files.rename(step.path, step.to)
      return 'renamed'
  }
}

function pattern(length: number, fill: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 31 + fill) & 255)
}

function hash(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('base64')
}

/** What a step gives: its answer, or the code it was refused with. */
async function answer(side: Side, step: Exclude<Step, { do: 'reopen' }>): Promise<unknown> {
  try {
    return await run(side, step)
  } catch (thrown) {
    const code = errorCode(thrown)
    if (code === undefined) throw thrown
    // One file larger than everything together: both are right.
    return code === 'ERR_FILE_TOO_LARGE' ? 'ERR_FILE_QUOTA' : code
  }
}

async function closeAll(side: Side): Promise<void> {
  for (const handle of side.handles.splice(0)) await handle?.close()
}

describe('vault, against files in memory', () => {
  it('does and refuses the same, whatever is asked in whatever order, also when it is opened again', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(STEP, { minLength: 1, maxLength: 60 }), async (steps) => {
        const disk = new MemoryDisk()
        const model: Side = {
          files: createMemoryFiles({ clock: createVirtualClock(), bytesMax: QUOTA_BYTES }),
          handles: []
        }
        const vault: Side & { files: VaultRoot } = { files: await testRoot(disk, QUOTA_BYTES), handles: [] }
        for (const step of steps) {
          if (step.do === 'reopen') {
            await closeAll(model)
            await closeAll(vault)
            await vault.files[Symbol.asyncDispose]()
            vault.files = await testRoot(disk, QUOTA_BYTES)
            continue
          }
          assert.deepEqual(await answer(vault, step), await answer(model, step), JSON.stringify(step))
        }
        await closeAll(vault)
        await vault.files[Symbol.asyncDispose]()
      }),
      { numRuns: 150 }
    )
  })
})
