import assert from 'node:assert/strict'
import type { InstalledCapsule } from '#capsule-host'
import type { VerifiedPackage } from '../../../node/capsules.ts'
import {
  createReleaseCapsules,
  installedTarget,
  type ReleaseCapsules
} from '../../../node/release-capsules.ts'

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

  it('has its lineage, once installed, for nobody but who signed the release', async () => {
    const release = releaseWith()
    assert.equal(await release.installedLineageOf(RELEASE, 'shell'), 'shipped/shell')
    assert.equal(await release.installedLineageOf('did:key:z6MkEve', 'shell'), 'did:key:z6MkEve/shell')
    assert.equal(await release.installedLineageOf(RELEASE, 'notes'), `${RELEASE}/notes`)
  })

  it('runs with its lineage in the version that is current alone, however another one was named', async () => {
    const lineages = async (installed?: string, publisher = RELEASE): Promise<string[]> => {
      const release = releaseWith(installed)
      const versions = ['1.1.9', '1.2.0', '1.2.1'].map(async (version) => {
        const lineage = await release.lineageOf({ publisher, name: 'shell', cid: `cid-${version}` })
        return lineage === 'shipped/shell' ? [version] : []
      })
      return (await Promise.all(versions)).flat()
    }
    assert.deepEqual(await lineages(), ['1.2.0'])
    assert.deepEqual(await lineages('1.2.1'), ['1.2.1'])
    assert.deepEqual(await lineages('1.1.9'), ['1.2.0'])
    assert.deepEqual(await lineages('1.2.1', 'did:key:z6MkEve'), [])
    const named = { publisher: RELEASE, name: 'shell', cid: 'cid-1.1.9' }
    assert.equal(await releaseWith().lineageOf(named), `${RELEASE}/shell`)
  })

  it('that was installed is run by its lineage, which says what is current', () => {
    assert.equal(installedTarget({ lineage: 'shipped/shell', current: 'cid-1.1.9' }), 'shipped/shell')
    assert.equal(installedTarget({ lineage: `${RELEASE}/notes`, current: 'cid-1.1.9' }), 'cid-1.1.9')
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
    assert.equal(await release.installedLineageOf(RELEASE, 'shell'), `${RELEASE}/shell`)
  })
})
