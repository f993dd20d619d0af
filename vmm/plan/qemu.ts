import { VM_TRANSLATION_MIB } from '../constants.ts'
import {
  checkPlan,
  kernelCommandLine,
  PORT_NAME,
  type MachineDisk,
  type MachinePlan,
  type MonitorPlan
} from './machine-plan.ts'

/** What its emulator may not do once it runs: nothing old, no other rights, no other process, no other limits. */
const SANDBOX = 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'
/** A firmware that only starts a kernel; with the usual one a machine of this kind never starts. */
const FIRMWARE = 'qboot.rom'
/** The host's own, but no machines in the machine and no performance counters: both have broken walls before. */
const HOST_CPU = 'host,vmx=off,svm=off,pmu=off'

/**
 * QEMU's `microvm`, on arm64 its `virt`: no bus to look over, no devices but those named here, no network card.
 *
 * @throws VmmError `ERR_VM_PLAN`
 * @see https://www.qemu.org/docs/master/system/i386/microvm.html
 */
export function planQemu(plan: MachinePlan): MonitorPlan {
  checkPlan(plan)
  const { arch, memoryMib, cpus, kernel, initrd, disks, channel } = plan
  const socket = 'socket' in channel ? `path=${channel.socket}` : `fd=${channel.descriptor}`
  const args = [
    ...(arch === 'x86_64'
      ? ['-M', 'microvm,x-option-roms=off,isa-serial=on,rtc=on', '-bios', FIRMWARE]
      : ['-M', 'virt']),
    ...accelerator(plan),
    ...['-m', String(memoryMib)],
    ...['-smp', String(cpus)],
    ...['-nodefaults', '-no-user-config', '-no-reboot'],
    ...['-display', 'none'],
    ...['-sandbox', SANDBOX],
    ...['-serial', 'stdio'],
    ...['-device', 'virtio-serial-device'],
    ...['-chardev', `socket,id=channel,${socket}`],
    ...['-device', `virtserialport,chardev=channel,name=${PORT_NAME}`],
    ...disks.flatMap(diskArguments),
    ...['-kernel', kernel],
    ...['-initrd', initrd],
    ...['-append', kernelCommandLine(plan, `port:${PORT_NAME}`)]
  ]
  return { args, requests: [] }
}

function accelerator({ arch, tier }: MachinePlan): string[] {
  if (tier === 'kvm') return ['-accel', 'kvm', '-cpu', arch === 'x86_64' ? HOST_CPU : 'host']
  const cpu = arch === 'x86_64' ? 'qemu64' : 'cortex-a57'
  return ['-accel', `tcg,tb-size=${VM_TRANSLATION_MIB}`, '-cpu', cpu]
}

function diskArguments({ path, isReadOnly }: MachineDisk, index: number): string[] {
  const drive = `id=disk${index},file=${path},format=raw,if=none,readonly=${isReadOnly ? 'on' : 'off'}`
  return ['-drive', drive, '-device', `virtio-blk-device,drive=disk${index}`]
}
