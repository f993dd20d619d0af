import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createCliHome } from '../support/cli.ts'
import { assertRefused, startCliNode } from '../support/cli-node.ts'
import { createDebianRepository } from '../support/debian-repository.ts'
import { provideGuest } from '../support/guest.ts'
import { isMet, needs } from '../support/requirements.ts'

/** Greets, repeats a line, and asks who it is over its channel; on a screen it says how large that is. */
const PROGRAM = `
if [ "$1" = screen ]; then stty size; read -r line; echo "typed $line"; exit 5; fi
echo "hello $1"; read -r line; echo "$line"
echo '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"versions":[1]}}' >&3
read -r answer <&3; echo "$answer"
exit 6
`

describe('a capsule for a microVM', function () {
  this.timeout(300_000)

  it('is built from a folder, the same bytes each time, and run', async function () {
    const { guest, busybox } = await provideGuest(this)
    await using home = await createCliHome()
    const folder = join(home.folder, 'greeter')
    await mkdir(join(folder, 'root', 'bin'), { recursive: true })
    await writeFile(join(folder, 'root', 'bin', 'busybox'), busybox, { mode: 0o755 })
    await symlink('busybox', join(folder, 'root', 'bin', 'sh'))
    await writeFile(join(folder, 'root', 'greet.sh'), PROGRAM)
    const manifest = {
      ...{ manifest: 2, name: 'greeter', version: '1.0.0', substrate: 'microvm', entry: 'greeter.erofs' },
      ...{ image: 'root', program: ['/bin/sh', '/greet.sh'] }
    }
    await writeFile(join(folder, 'capsule.json'), JSON.stringify(manifest))
    const built = await home.run(['capsule', 'build', folder])
    assert.equal(built.code, 0, built.stderr)
    const image = await readFile(join(folder, 'greeter.erofs'))

    const data = join(home.folder, 'node')
    await using node = await startCliNode(home, data)
    await node.succeed(['guest', 'use', dirname(guest.kernel)])
    const ran = await node.run(['capsule', 'run', folder, 'Ada', '--dev'], { input: 'a line\n' })
    assert.equal(ran.code, 6, ran.stderr)
    assert.match(ran.stderr, /machine of its own|emulated machine/, 'its user is told what holds it')
    const [greeting, line, answer = ''] = ran.stdout.split('\n')
    assert.deepEqual([greeting, line], ['hello Ada', 'a line'])
    const { result } = JSON.parse(answer) as { result: { version: number; capsule: { name: string } } }
    assert.deepEqual([result.version, result.capsule.name], [1, 'greeter'])
    assert.ok(image.equals(await readFile(join(folder, 'greeter.erofs'))), 'built again, the same bytes')
    if (await isMet('terminal')) {
      const args = ['capsule', 'run', folder, 'screen', '--dev', '--raw', '--data', data]
      await using screen = await home.terminal(args)
      await screen.stdout.match(/30 100/)
      screen.type('höher')
      await screen.stdout.match(/typed höher/)
      assert.equal((await screen.ended).code, 5)
    }
    await node.answers()
  })

  it('starts from a template, is built of a package without a compiler, and greets whom it is told to', async function () {
    const { guest, busybox } = await provideGuest(this)
    await needs(this, 'apt')
    await using home = await createCliHome()
    const repository = await createDebianRepository(join(home.folder, 'repository'))
    await repository.publish([{ name: 'busybox-static', files: { 'bin/busybox': busybox } }])
    const env = { APT_CONFIG: repository.configuration }
    const made = await home.run(['capsule', 'new', 'hello', '--type', 'microvm'])
    assert.equal(made.code, 0, made.stderr)
    const folder = join(home.folder, 'hello')
    assert.deepEqual((await readdir(folder)).toSorted(), ['README.md', 'capsule.json', 'debian.json', 'root'])
    const built = await home.run(['capsule', 'build', folder], { env })
    assert.equal(built.code, 0, built.stderr)
    const cached = await readdir(join(home.folder, 'cache', 'elastos', 'debian'))
    assert.match(
      cached.join(),
      /^[0-9a-f]{64}\.deb$/,
      'downloads are kept in the cache of the user, not in the capsule'
    )
    await using node = await startCliNode(home, join(home.folder, 'node'), { env })
    const guestless = await node.run(['capsule', 'run', folder, '--dev'])
    assertRefused(guestless, 'ERR_VM_UNAVAILABLE')
    assert.match(guestless.stderr, /elastos guest use DID/)
    await node.succeed(['guest', 'use', dirname(guest.kernel)])
    const ran = await node.run(['capsule', 'run', folder, '--dev', 'earth'], { input: 'one\ntwö\n' })
    assert.equal(ran.stdout, 'hello, earth, from hello\none\ntwö\n', ran.stderr)
    assert.equal(ran.code, 0)
  })
})
