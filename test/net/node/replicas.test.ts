/** Content that stays: real processes on one machine, killed as a power cut does. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startProcess, type RunningProcess } from '../../support/process.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

/** Paces at which a death is noticed in seconds. */
const LIMITS = {
  leaseMs: 4_000,
  renewEveryMs: 1_000,
  lookEveryMs: 500,
  repairJitterMs: 500,
  syncEveryMs: 1_000,
  meetEveryMs: 1_500,
  trimAfterMs: 60_000
}
const PROGRAM = join(import.meta.dirname, 'replica-program.ts')
const PATIENCE_MS = 60_000
const MIB = 1_048_576

interface Peer {
  readonly process: RunningProcess
  readonly did: string
  readonly person: string
  readonly address: string
  tell(order: object): Promise<unknown>
}

describe('content that stays, over real processes', function () {
  this.timeout(240_000)

  it('comes back after a holder is killed, is there without its owner, and stays within agreement and quota', async () => {
    await using folder = await createTemporaryFolder()
    await using stack = new AsyncDisposableStack()
    const start = starter(folder.path, stack)
    const owner = await start('owner', [])
    const names = ['one', 'two', 'three', 'four', 'small']
    const followers = await Promise.all(names.map(async (name) => await start(name, [owner.address])))
    const small = followers.at(-1)
    assert.ok(small)
    for (const follower of followers) {
      await follower.tell({ do: 'offer', spaceBytes: follower === small ? MIB : 64 * MIB })
      await follower.tell({ do: 'follow', person: owner.person })
    }

    const bytes = randomBytes(3 * MIB)
    const root = String(await owner.tell({ do: 'add', bytes: bytes.toString('base64'), copies: 3 }))
    const holders = async (): Promise<Peer[]> => {
      const running = followers.filter(({ process }) => !killed.has(process))
      const held = await Promise.all(running.map(async (one) => await one.tell({ do: 'holds', root })))
      return running.filter((_one, index) => held[index] === true)
    }
    const killed = new Set<RunningProcess>()
    const until = async (count: number): Promise<Peer[]> => {
      const untilMs = Date.now() + PATIENCE_MS
      for (;;) {
        const now = await holders()
        if (now.length >= count) return now
        assert.ok(Date.now() < untilMs, `${now.length} of ${count} copies`)
        await new Promise((resolve) => setTimeout(resolve, 250))
      }
    }
    const before = await until(3)
    assert.ok(!before.includes(small), 'what does not fit was kept')

    assert.deepEqual(await passedChallenges(owner, { root, copies: 3 }), [true, true, true])

    // A stranger sends goals of its own: nobody agreed to keep what it publishes.
    const stranger = await start('stranger', [owner.address])
    const strange = String(
      await stranger.tell({ do: 'add', bytes: randomBytes(1_000).toString('base64'), copies: 3 })
    )

    // The owner's laptop closes, and a holder dies.
    owner.process.signal('SIGKILL')
    await owner.process.ended
    const [victim] = before
    assert.ok(victim)
    killed.add(victim.process)
    victim.process.signal('SIGKILL')
    await victim.process.ended
    const after = await until(3)
    assert.ok(!after.includes(victim))

    const output = join(folder.path, 'fetched')
    await stranger.tell({ do: 'get', root, output })
    assert.deepEqual(await readFile(join(output, 'a')), bytes)
    for (const follower of after) {
      assert.equal(await follower.tell({ do: 'holds', root: strange }), false)
      const { usedBytes, spaceBytes } = (await follower.tell({ do: 'quota' })) as {
        usedBytes: number
        spaceBytes: number
      }
      assert.ok(usedBytes >= bytes.length && usedBytes <= spaceBytes)
    }
  })

  it('is kept by a stranger who cannot read it, and read without its owner by who has the link', async () => {
    await using folder = await createTemporaryFolder()
    await using stack = new AsyncDisposableStack()
    const start = starter(folder.path, stack)
    const volunteer = await start('volunteer', [])
    const [owner, reader] = [
      await start('owner', [volunteer.address]),
      await start('reader', [volunteer.address])
    ]
    await volunteer.tell({ do: 'offer', spaceBytes: 64 * MIB, isVolunteer: true })
    const bytes = randomBytes(3 * MIB)
    const sealed = { do: 'add', bytes: bytes.toString('base64'), copies: 1, isSealed: true }
    const link = String(await owner.tell(sealed))
    const [root = '', key = ''] = link.split('#')
    assert.ok(key.length > 0)
    const untilMs = Date.now() + PATIENCE_MS
    while ((await volunteer.tell({ do: 'holds', root })) !== true) {
      assert.ok(Date.now() < untilMs, 'nobody keeps it')
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
    owner.process.signal('SIGKILL')
    await owner.process.ended

    const output = join(folder.path, 'read')
    await reader.tell({ do: 'get', root: link, output })
    assert.deepEqual(await readFile(join(output, 'a')), bytes)
    // All that the volunteer has: neither the content nor a folder with a name in it.
    const kept = join(folder.path, 'kept')
    await volunteer.tell({ do: 'get', root, output: kept })
    const seen = await readFile(kept)
    assert.equal(seen.indexOf(bytes.subarray(0, 32)), -1)
    assert.ok(seen.length < 1.1 * bytes.length)
  })
})

/** Starts nodes as processes that end with the stack. */
function starter(
  folder: string,
  stack: AsyncDisposableStack
): (name: string, bootstrap: readonly string[]) => Promise<Peer> {
  let orders = 0
  return async (name, bootstrap) => {
    const init = { dataFolder: join(folder, name), bootstrap, limits: LIMITS }
    const process = stack.use(
      await startProcess({ command: globalThis.process.execPath, args: [PROGRAM, JSON.stringify(init)] })
    )
    const ready = await process.event('ready', { timeoutMs: PATIENCE_MS })
    return {
      ...{ process, did: String(ready['did']), person: String(ready['personDid']) },
      address: String(ready['address']),
      tell: async (what) => {
        const id = ++orders
        process.write(`${JSON.stringify({ id, what })}\n`)
        const done = await process.event(`done ${id}`, { timeoutMs: PATIENCE_MS })
        assert.equal(done['reason'], undefined, JSON.stringify(done))
        return done['result']
      }
    }
  }
}

/** What became of the challenges, once the owner has heard of so many copies and had an answer of each. */
async function passedChallenges(
  owner: Peer,
  { root, copies }: { readonly root: string; readonly copies: number }
): Promise<readonly boolean[]> {
  const untilMs = Date.now() + PATIENCE_MS
  for (;;) {
    const status = (await owner.tell({ do: 'challenge', root })) as {
      copies: readonly { challenge?: { isPassed: boolean } }[]
    }
    const passed = status.copies.flatMap(({ challenge }) => challenge?.isPassed ?? [])
    if (passed.length >= copies || passed.includes(false)) return passed
    assert.ok(Date.now() < untilMs, JSON.stringify(status))
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}
