import assert from 'node:assert/strict'
import { createRunningTable } from '#capsule-host'
import { silentLogger } from '#contracts'
import type { VerifiedPackage } from '../../../node/capsules.ts'
import { createProviderSource, type ProviderSourceComponents } from '../../../node/provider-source.ts'

const { signal } = new AbortController()

/** The provider of files of this release: what serves as it, or the same bytes that somebody named by their CID. */
function packageOf(lineage: string): VerifiedPackage {
  const status = { cid: 'cid-files', name: 'localhost-provider', version: '1.0.0', isSigned: true }
  const manifest = { requires: [], provides: ['localhost@1'] }
  return { status, lineage, opened: { manifest } } as unknown as VerifiedPackage
}

describe('where providers come from', () => {
  it('starts what was resolved with its own lineage, also when another has the same bytes', async () => {
    const started: string[] = []
    const components = {
      ...{ logger: silentLogger, running: createRunningTable({ nowMs: () => 0 }) },
      capsules: () => ({ verify: async () => await Promise.resolve(packageOf('did:key:zRelease/files')) }),
      release: { current: async () => await Promise.resolve(packageOf('shipped/localhost-provider')) },
      installed: () => ({ lookup: () => undefined }),
      runtime: {
        start: async ({ lineage }: VerifiedPackage) => {
          started.push(lineage)
          return await Promise.reject(new Error('far enough'))
        }
      }
    } as unknown as ProviderSourceComponents
    const source = createProviderSource(components)
    const shipped = await source.resolve({ contract: 'localhost@1' }, signal)
    const named = await source.resolve({ contract: 'localhost@1', capsule: 'cid-files' }, signal)
    assert(shipped !== undefined && named !== undefined)
    for (const resolved of [shipped, named])
      await assert.rejects(source.start(resolved, signal), /far enough/)
    assert.deepEqual(started, ['shipped/localhost-provider', 'did:key:zRelease/files'])
  })
})
