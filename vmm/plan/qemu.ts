import { VM_IMAGE_BYTES_MAX, VM_TRANSLATION_MIB } from '../constants.ts'
import { VmmError } from '../errors.ts'
import {
  checkPlan,
  DISK_NAME,
  EMPTY_NAME,
  kernelCommandLine,
  PORT_NAME,
  type MachineDisk,
  type MachinePlan,
  type MonitorPlan,
  type TemplatePlan
} from './machine-plan.ts'

/** What its emulator may not do once it runs: nothing old, no other rights, no other process, no other limits. */
const SANDBOX = 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'
/** A firmware that only starts a kernel; with the usual one a machine of this kind never starts. */
const FIRMWARE = 'qboot.rom'
/** The host's own, but no machines in the machine and no performance counters: both have broken walls before. */
const HOST_CPU = 'host,vmx=off,svm=off,pmu=off'

/** What is in a disk that is given later: zeros, as many as the largest image has. Its guest reads no further than its image. */
const EMPTY_DISK = `driver=null-co,node-name=${EMPTY_NAME},size=${VM_IMAGE_BYTES_MAX},read-only=on`

/**
 * QEMU's `microvm`, on arm64 its `virt`: no bus to look over, no devices but those named here, no network card.
 *
 * @param template - what it has to do with one; its plan then has no disks
 * @throws VmmError `ERR_VM_PLAN`
 * @see https://www.qemu.org/docs/master/system/i386/microvm.html
 */
export function planQemu(plan: MachinePlan, template?: TemplatePlan): MonitorPlan {
  checkPlan(plan)
  const { arch, memoryMib, cpus, disks, channel } = plan
  const socket = 'socket' in channel ? `path=${channel.socket}` : `fd=${channel.descriptor}`
  const board = arch === 'x86_64' ? 'microvm,x-option-roms=off,isa-serial=on,rtc=on' : 'virt'
  const args = [
    ...['-M', template === undefined ? board : `${board},memory-backend=memory`],
    ...(arch === 'x86_64' ? ['-bios', FIRMWARE] : []),
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
    ...(template === undefined ? disks.flatMap(diskArguments) : templateArguments(plan, template)),
    // One that starts where a template was taken has its kernel in its memory.
    ...(template?.role === 'start' ? [] : kernelArguments(plan))
  ]
  return { args, requests: [] }
}

function kernelArguments(plan: MachinePlan): string[] {
  const { kernel, initrd } = plan
  return ['-kernel', kernel, '-initrd', initrd, '-append', kernelCommandLine(plan, `port:${PORT_NAME}`)]
}

function templateArguments({ memoryMib, disks }: MachinePlan, template: TemplatePlan): string[] {
  if (disks.length > 0) throw new VmmError('ERR_VM_PLAN', 'expected no disk of a machine that gets it later')
  const share = template.role === 'become' ? 'on' : 'off'
  return [
    ...[
      '-object',
      `memory-backend-file,id=memory,size=${memoryMib}M,mem-path=${template.memory},share=${share}`
    ],
    ...['-blockdev', EMPTY_DISK],
    ...['-blockdev', `driver=raw,node-name=${DISK_NAME},file=${EMPTY_NAME},read-only=on`],
    ...['-device', `virtio-blk-device,drive=${DISK_NAME}`],
    ...['-chardev', `socket,id=control,fd=${template.control}`],
    ...['-mon', 'chardev=control,mode=control'],
    ...(template.role === 'start' ? ['-S', '-incoming', 'defer'] : [])
  ]
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
