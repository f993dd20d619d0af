import assert from 'node:assert/strict'
import type { InstalledCapsule } from '#capsule-host'
import type { VerifiedPackage } from '../../../node/capsules.ts'
import { createReleaseCapsules, type ReleaseCapsules } from '../../../node/release-capsules.ts'

const RELEASE = 'did:key:z6MkRelease'
const options = { signal: new AbortController().signal }

function packageOf(version: string, publisher?: string): VerifiedPackage {
  const status = { cid: `cid-${version}`, name: 'shell', version, ...(publisher ? { publisher } : {}) }
  return { status, lineage: 'shipped/shell' } as unknown as VerifiedPackage
}

/** A release that ships version 1.2.0 of its shell, on a device where `installed` is there of it. */
function releaseWith(installed?: string, publisher: string | undefined = RELEASE): ReleaseCapsules {
  const current = `cid-${String(installed)}`
  const record = { current, versions: [{ cid: current, version: installed }] } as unknown as InstalledCapsule
  return createReleaseCapsules({
    load: async () => await Promise.resolve(packageOf('1.2.0', publisher)),
    isShipped: (name) => name === 'shell',
    installed: () => ({
      lookup: (name) => (installed !== undefined && name === 'shipped/shell' ? record : undefined)
    }),
    verify: async (cid) => await Promise.resolve(packageOf(cid.slice('cid-'.length), RELEASE))
  })
}

describe('a capsule of this release', () => {
  it('runs as it ships until a later version of it was installed', async () => {
    for (const [installed, expected] of [
      [undefined, '1.2.0'],
      ['1.2.1', '1.2.1'],
      ['2.0.0', '2.0.0'],
      // A later release brought something later than what was installed before.
      ['1.1.9', '1.2.0'],
      ['1.2.0', '1.2.0']
    ]) {
      const { status } = await releaseWith(installed).current('shell', options)
      assert.equal(status.version, expected)
    }
  })

  it('has its lineage for nobody but who signed the release', async () => {
    const release = releaseWith()
    assert.equal(await release.lineageOf(RELEASE, 'shell'), 'shipped/shell')
    assert.equal(await release.lineageOf('did:key:z6MkEve', 'shell'), 'did:key:z6MkEve/shell')
    assert.equal(await release.lineageOf(RELEASE, 'notes'), `${RELEASE}/notes`)
  })

  it('is looked for where who signed it publishes', async () => {
    const release = releaseWith()
    assert.equal(await release.publishedAt('shipped/shell'), `${RELEASE}/shell`)
    for (const other of ['shipped/notes', 'ann/shell', 'bafyreigdm'])
      assert.equal(await release.publishedAt(other), other)
  })

  it('that was compiled from its sources just now is nobody’s to update', async () => {
    const release = createReleaseCapsules({
      load: async () => await Promise.resolve(packageOf('1.2.0')),
      isShipped: () => true,
      installed: () => ({ lookup: () => undefined }),
      verify: async () => await Promise.reject(new Error('not asked for'))
    })
    assert.equal(await release.publishedAt('shipped/shell'), 'shipped/shell')
    assert.equal(await release.lineageOf(RELEASE, 'shell'), `${RELEASE}/shell`)
  })
})
