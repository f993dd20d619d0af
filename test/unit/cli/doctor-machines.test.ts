import assert from 'node:assert/strict'
import { systemClock } from '#contracts'
import { systemVmmPowers, type VmmPowers } from '#vmm'
import { checkMachines } from '../../../cli/doctor/machines.ts'

/** A machine that has everything but what `change` says. */
function machine(change: Partial<VmmPowers> = {}, absent: readonly string[] = []): VmmPowers {
  return {
    ...systemVmmPowers,
    platform: 'linux',
    arch: 'x64',
    findProgram: async (name) => (absent.includes(name) ? undefined : `/usr/bin/${name}`),
    resolvePath: async (path) => (absent.some((end) => path.endsWith(end)) ? undefined : path),
    linkedFiles: async () => '',
    opens: async () => false,
    readText: async () => 'flags : fpu',
    hashFile: async () => '00',
    spawnMonitor: () => assert.fail('nothing is started'),
    ...change
  }
}

describe('what the doctor says about microVMs', () => {
  for (const [name, powers, found, mend] of [
    ['no Linux', machine({ platform: 'darwin' }), /^none: .*WASM only here/, /^$/],
    [
      'no monitor',
      machine({}, ['qemu-system-x86_64']),
      /^none: qemu-system-x86_64 not found/,
      /apt-get install qemu-system-x86/
    ],
    [
      'no guest',
      machine({}, ['/guest/kernel']),
      /^none: there is no guest/,
      /elastos guest use DID.*elastos guest build/
    ],
    ['a device that is closed', machine(), /^emulated: .*--allow-emulated/, /usermod -aG kvm/],
    ['no device', machine({}, ['/dev/kvm']), /^emulated: /, /^$/],
    ['a processor without it', machine({ opens: async () => true }), /^emulated: .*vmx or svm/, /^$/]
  ] as const) {
    it(`with ${name}: one line with the reason and the next step`, async () => {
      const check = await checkMachines(powers, { clock: systemClock, guest: '/data/guest' })
      assert.equal(check.isOk, false)
      assert.match(check.found, found)
      assert.ok(!check.found.includes('\n'))
      assert.match(check.mend.join(' '), mend)
    })
  }
})
