import assert from 'node:assert/strict'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import {
  findGuestEntry,
  startProviderDirectory,
  systemPowers,
  type HostPower,
  type RunningDirectory
} from '#capsule-host'
import { createKeyPair } from '#did'
import { createCapsuleRuntime, type CapsuleRuntime } from '../../../node/capsule-runtime.ts'
import type { CapsuleStreams, VerifiedPackage } from '../../../node/capsules.ts'
import { createTemporaryFolder, type TemporaryFolder } from '../../support/temporary-folder.ts'

/** A capsule that wants files, and whose module nobody admits. */
const BROKEN: VerifiedPackage = {
  status: { cid: '', root: '', name: 'broken', version: '1.0.0', files: 1, bytes: 4, isSigned: false },
  lineage: 'dev:0/broken',
  opened: {
    manifest: {
      ...{ manifest: 2, name: 'broken', version: '1.0.0', substrate: 'wasm', entry: 'a.wasm' },
      ...{ interface: 'stdio', capabilities: [], requires: [], provides: [], powers: [] },
      ...{ files: true, optimize: false, limits: {} }
    },
    ...{ entry: Uint8Array.of(1, 2, 3, 4), files: 1, bytes: 4 }
  },
  isOwn: true
}

const STREAMS: CapsuleStreams = {
  stdin: nothing(),
  stdout: { write: () => undefined },
  stderr: { write: () => undefined },
  signal: new AbortController().signal
}

describe('the runtime of capsules', () => {
  let folder: TemporaryFolder
  let failures: number
  let runtime: CapsuleRuntime

  beforeEach(async () => {
    folder = await createTemporaryFolder()
    failures = 0
    runtime = createCapsuleRuntime({
      keystore: { device: createKeyPair(systemRandom) },
      paths: { authority: `${folder.path}/authority`, vault: `${folder.path}/vault` },
      ...{ clock: systemClock, random: systemRandom, logger: silentLogger, powers: systemPowers },
      guestEntry: findGuestEntry(),
      hostPowers: new Map<string, HostPower>(),
      shell: { decide: () => Promise.reject(new Error('expected no question')) },
      givenPowers: () => [],
      createDirectory: () => {
        if (failures-- > 0) throw new Error('not yet')
        return emptyDirectory()
      }
    })
  })

  afterEach(async () => {
    await runtime[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  it('opens the next time when something kept it from opening', async () => {
    failures = 1
    await assert.rejects(runtime.authority(), /not yet/)
    // The store of grants is locked by whoever has it open: here that would be the try before.
    assert.ok((await runtime.authority()).deviceDid)
  })

  it('lets go of the files of a capsule that could not be started', async () => {
    await assert.rejects(runtime.start(BROKEN, STREAMS), { code: 'ERR_MODULE_INVALID' })
    await using root = await runtime.filesOf(BROKEN.lineage)
    await root.makeFolder('kept')
    await root.flush()
    await root[Symbol.asyncDispose]()
    const state = await runtime.stateOf(BROKEN.lineage)
    await state?.remove()
    assert.equal(await runtime.stateOf(BROKEN.lineage), undefined)
  })

  it('opens nothing any more once it was ended, and ends what was being opened', async () => {
    const opening = runtime.authority()
    await runtime[Symbol.asyncDispose]()
    await opening.catch(() => undefined)
    await assert.rejects(runtime.authority(), { code: 'ERR_CAPSULE_STOPPED' })
    await assert.rejects(runtime.start(BROKEN, STREAMS), { code: 'ERR_CAPSULE_STOPPED' })
  })
})

function emptyDirectory(): RunningDirectory {
  return startProviderDirectory({
    ...{ clock: systemClock, logger: silentLogger },
    choices: { chosen: () => undefined, pinned: () => undefined, pin: async () => await Promise.resolve() },
    source: {
      resolve: async () => await Promise.resolve(undefined),
      start: () => Promise.reject(new Error('expected no provider'))
    }
  })
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // Nobody types.
}
