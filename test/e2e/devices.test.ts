/** A person adds a device, and takes it away again. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { createCliHome, type CliHome } from '../support/cli.ts'
import { assertRefused, assertSucceeded, startCliNode } from '../support/cli-node.ts'
import { needs } from '../support/requirements.ts'

const LOCAL = ['--reach', 'local', '--listen', '/ip4/127.0.0.1/tcp/0'] as const

describe('elastos device', function () {
  this.timeout(120_000)
  let home: CliHome
  beforeEach(async () => {
    home = await createCliHome()
  })
  afterEach(async () => {
    await home[Symbol.asyncDispose]()
  })

  it('adds the device that shows a code, lists both, and revokes it for ever', async () => {
    const phone = join(home.folder, 'phone')
    await using owner = await startCliNode(home, join(home.folder, 'owner'))
    await using joining = await home.start(['device', 'join', ...LOCAL, '--json', '--data', phone])
    const shown = await joining.event('code', { timeoutMs: 30_000 })
    const added = await owner.succeed(['device', 'add', String(shown['code']), '--name', 'phone'])
    assert.equal(added.json?.['device'], shown['device'])
    assert.equal(added.json?.['isDelivered'], true)
    assert.equal((await joining.ended).code, 0, joining.stderr.text())
    const identity = assertSucceeded(await home.run(['id', 'show', '--json', '--data', phone]), ['id show'])
    assert.equal(identity.json?.['personDid'], owner.status.personDid)
    assert.equal(identity.json['deviceDid'], shown['device'])
    assert.equal(identity.json['publishing'], 'absent')
    assertRefused(await home.run(['device', 'join', '--json', '--data', phone]), 'ERR_KEYSTORE_EXISTS')
    {
      await using node = await startCliNode(home, phone)
      assertRefused(
        await node.run(['device', 'revoke', owner.status.did, '--yes']),
        'ERR_PUBLISHER_KEY_MISSING'
      )
      await node.stop()
    }
    assertRefused(await owner.run(['device', 'revoke', 'phone']), 'ERR_TERMINAL_NEEDED')
    assertRefused(await owner.run(['device', 'revoke', 'tablet', '--yes']), 'ERR_DEVICE_UNKNOWN')
    const revoked = await owner.succeed(['device', 'revoke', 'phone', '--yes'])
    assert.equal(revoked.json?.['device'], shown['device'])
    const { json } = await owner.succeed(['device', 'list'])
    const devices = json?.['devices'] as { device: string; isRevoked: boolean; isThis: boolean }[]
    assert.deepEqual(
      devices.map(({ device, isRevoked, isThis }) => ({ device, isRevoked, isThis })),
      [
        { device: owner.status.did, isRevoked: false, isThis: true },
        { device: String(shown['device']), isRevoked: true, isThis: false }
      ]
    )
    assertRefused(await owner.run(['device', 'add', String(shown['code'])]), 'ERR_DEVICE_REVOKED')
    assertRefused(await owner.run(['device', 'add', 'elastos-device:AAAA']), 'ERR_PAIRING_CODE')
  })

  it('shows a code for a camera, and takes the certificate that is pasted', async function () {
    await needs(this, 'terminal')
    await using owner = await startCliNode(home, join(home.folder, 'owner'))
    const phone = join(home.folder, 'phone')
    await using joining = await home.terminal(['device', 'join', ...LOCAL, '--data', phone])
    await joining.stdout.match(/█▀▀▀▀▀█|█ ▄▄▄▄▄ █|▀▀▀▀▀▀▀/)
    const [, code = ''] = await joining.stdout.match(/elastos device add (elastos-device:[\w-]+)/)
    await joining.stdout.match(/waiting/)
    joining.write('elastos-certificate:AAAA\r')
    await joining.stdout.match(/whole and unchanged|expected/)
    // What was pasted was none; the code still holds, and both run on one machine, so it is delivered.
    await owner.succeed(['device', 'add', code])
    await joining.stdout.match(/may publish +no/)
    assert.equal((await joining.ended).code, 0)
  })

  it('keeps nothing of a device that was not added', async () => {
    const phone = join(home.folder, 'phone')
    await using joining = await home.start(['device', 'join', ...LOCAL, '--json', '--data', phone])
    await joining.event('code', { timeoutMs: 30_000 })
    const { code } = await joining.end({ signal: 'SIGINT' })
    assert.equal(code, 130)
    assertRefused(await home.run(['id', 'show', '--json', '--data', phone]), 'ERR_KEYSTORE_MISSING')
  })
})
