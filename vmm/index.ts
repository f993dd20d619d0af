/**
 * MicroVMs: a full Linux program behind a machine of its own. Plans for each monitor are pure; one starts in a jail, talks to the
 * host over a channel of framed streams and leaves nothing. Formats: `docs/protocols/vm-channel.md`.
 *
 * @example
 * ```ts
 * import { planQemu } from '#vmm'
 *
 * const { args } = planQemu({
 *   arch: 'x86_64',
 *   tier: 'kvm',
 *   memoryMib: 128,
 *   cpus: 1,
 *   kernel: '/vm/kernel',
 *   initrd: '/vm/initrd',
 *   disks: [{ path: '/vm/root.erofs', isReadOnly: true }],
 *   channel: { socket: '/run/vm.sock' }
 * })
 * console.log(args.join(' '))
 * ```
 *
 * @packageDocumentation
 */
export { startMachine } from './machine/start-machine.ts'
export type { Machine, MachineComponents, MachineInit, MachineOutcome } from './machine/start-machine.ts'
export type { GuestFiles, Monitor, MonitorEvents, MonitorInit, MonitorTemplate } from './machine/monitor.ts'
export { createMachinePool } from './template/machine-pool.ts'
export type { MachinePool, MachinePoolComponents, MachinePoolInit } from './template/machine-pool.ts'
export { systemTemplatePowers } from './template/powers.ts'
export type { FileMark, StateSocket, TemplatePowers } from './template/powers.ts'
export { probeMachines } from './probe/probe-machines.ts'
export type { MachineReport, ProbeCache, ProbeComponents } from './probe/probe-machines.ts'
export { decideKvm, machineArch, whyNoMachines } from './probe/decide.ts'
export type { KvmDecision, KvmFacts } from './probe/decide.ts'
export { planQemu } from './plan/qemu.ts'
export { planFirecracker } from './plan/firecracker.ts'
export { planCloudHypervisor } from './plan/cloud-hypervisor.ts'
export { planCrosvm } from './plan/crosvm.ts'
export type {
  MachineArch,
  MachineDisk,
  MachinePlan,
  MachineTier,
  MonitorPlan,
  MonitorRequest,
  TemplatePlan
} from './plan/machine-plan.ts'
export { jailArguments } from './jail/jail.ts'
export type { JailInit, JailLimits, MonitorLayout, ShownFile } from './jail/jail.ts'
export { createVmChannel } from './channel/vm-channel.ts'
export type { VmChannel, VmChannelComponents } from './channel/vm-channel.ts'
export type { VmStream } from './channel/stream.ts'
export { encodeVmFrame, VM_FRAME } from './channel/frames.ts'
export type { VmFrame, VmFrameType } from './channel/frames.ts'
export type { VmExit, VmProgram, VmTerminalSize } from './channel/messages.ts'
export { erofsImage } from './image/erofs.ts'
export type { ImageEntry } from './image/entries.ts'
export { makeRootImage, readImageFolder } from './image/root-image.ts'
export type { RootImageInit } from './image/root-image.ts'
export { systemDebianPowers } from './debian/powers.ts'
export type { DebianFile, DebianPowers } from './debian/powers.ts'
export type { DebianSource, UnpackComponents } from './debian/unpack.ts'
export { systemImagePowers } from './image/powers.ts'
export type { FolderEntry, ImageFolderPowers } from './image/powers.ts'
export { buildGuest } from './guest/build-guest.ts'
export type { GuestBuildInit } from './guest/build-guest.ts'
export {
  GUEST_PACKAGE_FILES,
  GUEST_SIGNATURE,
  guestName,
  guestVersion,
  openGuest
} from './guest/description.ts'
export type { GuestDescription, GuestPackage } from './guest/description.ts'
export { mendGuestFolder, systemGuestBuildPowers } from './guest/powers.ts'
export type { GuestBuildPowers, ProgramEnd } from './guest/powers.ts'
export { systemVmmPowers } from './powers.ts'
export type {
  MonitorEnd,
  MonitorIdentity,
  MonitorPair,
  MonitorProcess,
  MonitorSpawn,
  VmmPowers
} from './powers.ts'
export { VmmError } from './errors.ts'
export type { ImageErrorCode, MachineErrorCode, VmmErrorCode, VmmErrorOptions } from './errors.ts'
