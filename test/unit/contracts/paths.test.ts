import assert from 'node:assert/strict'
import { controlSocketPath, defaultDataFolder, type PathFacts } from '#contracts'

const LINUX: PathFacts = {
  environment: {},
  platform: 'linux',
  homeFolder: '/home/ada',
  temporaryFolder: '/tmp',
  userId: 1000
}
const LONG = `/home/ada/${'deep/'.repeat(30)}data`
/** `sun_path` on macOS, without the closing zero. */
const SOCKET_PATH_BYTES_MAX = 103

describe('the default data folder', () => {
  it('is where the platform keeps such things', () => {
    assert.equal(defaultDataFolder(LINUX), '/home/ada/.local/share/elastos')
    assert.equal(
      defaultDataFolder({ ...LINUX, platform: 'darwin' }),
      '/home/ada/Library/Application Support/elastos'
    )
    assert.equal(defaultDataFolder({ ...LINUX, environment: { XDG_DATA_HOME: '/data' } }), '/data/elastos')
  })

  it('ignores a relative XDG_DATA_HOME, as its specification says', () => {
    const environment = { XDG_DATA_HOME: 'data' }
    assert.equal(defaultDataFolder({ ...LINUX, environment }), '/home/ada/.local/share/elastos')
  })
})

describe('the control socket', () => {
  it('is inside the data folder when that is short enough', () => {
    assert.equal(controlSocketPath('/home/ada/data', LINUX), '/home/ada/data/control.sock')
  })

  for (const [where, environment] of [
    ['the runtime folder', { XDG_RUNTIME_DIR: '/run/user/1000' }],
    ['a temporary folder', {}],
    ['a temporary folder when the runtime folder is too long', { XDG_RUNTIME_DIR: `/${'r'.repeat(90)}` }],
    ['a temporary folder when the runtime folder is relative', { XDG_RUNTIME_DIR: 'run' }]
  ] as const) {
    it(`is in a folder of the user's own in ${where} when the data folder is too long`, () => {
      const path = controlSocketPath(LONG, { ...LINUX, environment })
      const folder = where === 'the runtime folder' ? '/run/user/1000/elastos/' : '/tmp/elastos-1000/'
      assert.ok(path.startsWith(folder), path)
      assert.ok(Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX)
    })
  }

  it('differs between data folders and between users', () => {
    const paths = [
      controlSocketPath(LONG, LINUX),
      controlSocketPath(`${LONG}2`, LINUX),
      controlSocketPath(LONG, { ...LINUX, userId: 1001 })
    ]
    assert.equal(new Set(paths).size, paths.length)
  })

  it('counts bytes, not letters', () => {
    const folder = `/home/ada/${'\u00e9'.repeat(45)}`
    assert.ok(Buffer.byteLength(controlSocketPath(folder, LINUX)) <= SOCKET_PATH_BYTES_MAX)
  })
})
