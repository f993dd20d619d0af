/**
 * Capsules on this device: what a package is, whether it is what its publisher signed, how it is built, and how it is
 * run with nothing but its standard streams in a process that the operating system walls in.
 *
 * @example
 * ```ts
 * import { silentLogger, systemClock } from '#contracts'
 * import { openPackage, probeSandbox, startCapsuleProcess, systemPowers, verifyCapsule } from '#capsule-host'
 *
 * const release = verifyCapsule(signedBlockBytes, { publisher, name: 'hello' })
 * const capsule = await openPackage(readerOf(release.root), { release, signal })
 * const sandbox = await probeSandbox({ powers: systemPowers, clock: systemClock }, { guestEntry, signal })
 * await using running = startCapsuleProcess(
 *   { powers: systemPowers, clock: systemClock, logger: silentLogger, sandbox },
 *   { name: release.name, module: capsule.entry, limits: capsuleLimits(capsule.manifest), stdin, stdout, stderr, signal }
 * )
 * console.log(await running.finished)
 * ```
 *
 * @packageDocumentation
 */
export { CapsuleError } from './errors.ts'
export type {
  BuildErrorCode,
  CapsuleErrorCode,
  CapsuleErrorOptions,
  GrantErrorCode,
  LifecycleErrorCode,
  ModuleErrorCode,
  PackageErrorCode,
  RunErrorCode,
  ToolErrorCode
} from './errors.ts'
export {
  capsuleLimits,
  CAPSULE_LIMIT_CEILINGS,
  CAPSULE_LIMIT_FLOORS,
  CAPSULE_LIMIT_NAMES,
  DEFAULT_CAPSULE_LIMITS,
  lowerLimits
} from './limits.ts'
export type { CapsuleLimits, PartialLimits } from './limits.ts'
export { isCapsuleName, isCapsuleVersion, manifestSchema, parseManifest } from './manifest.ts'
export type {
  CapsuleBuild,
  CapsuleInterface,
  CapsuleLanguage,
  CapsuleManifest,
  CapsuleSubstrate,
  ManifestCapability,
  ManifestRequirement
} from './manifest.ts'
export {
  CAPSULE_DOMAIN,
  CAPSULE_TYPE,
  capsuleReference,
  signCapsule,
  SIGNED_CAPSULE_VERSION,
  verifyCapsule
} from './signed-capsule.ts'
export type {
  CapsuleExpectation,
  CapsuleReference,
  CapsuleRelease,
  VerifiedCapsule
} from './signed-capsule.ts'
export { openPackage, verifyPackage } from './package.ts'
export type { OpenedPackage, PackageFile, PackageReader, PackageSummary } from './package.ts'
export { createFolderReader } from './folder-reader.ts'
export { MANIFEST_PATH, PACKAGE_BYTES_MAX, PACKAGE_FILE_BYTES_MAX, PACKAGE_FILES_MAX } from './constants.ts'
export { packageRoot } from './package-root.ts'
export { newCapsule } from './build/new-capsule.ts'
export type { NewCapsule } from './build/new-capsule.ts'
export { CAPSULE_LANGUAGES, CAPSULE_TYPES, isCapsuleLanguage } from './build/template.ts'
export type { CapsuleType } from './build/template.ts'
export { buildCapsule } from './build/build-capsule.ts'
export type { BuildComponents, BuiltCapsule, CapsuleImageInit } from './build/build-capsule.ts'
export { compileTypeScript } from './toolchain/compile-typescript.ts'
export type { CompileTypeScriptInit } from './toolchain/compile-typescript.ts'
export type { Toolchain } from './toolchain/powers/toolchain.ts'
export { loadFirstPartyCapsule } from './toolchain/powers/first-party.ts'
export type { FirstPartyCapsule } from './toolchain/powers/first-party.ts'
export { createToolServer } from './mcp/tool-server.ts'
export type { ToolServer } from './mcp/tool-server.ts'
export type { McpContent, McpTool, McpToolResult } from './mcp/messages.ts'
export { admitModule } from './wasm/admission.ts'
export type { AdmissionInit, AdmittedModule } from './wasm/admission.ts'
export { probeSandbox } from './sandbox/probe.ts'
export type { ProbeComponents, ProbeInit } from './sandbox/probe.ts'
export { mendingCommands } from './sandbox/report.ts'
export type { SandboxCheck, SandboxLevel, SandboxReport } from './sandbox/report.ts'
export type { GuestScript, ProcessLayout, SandboxLayout } from './sandbox/layout.ts'
export type { SandboxArch } from './sandbox/syscalls.ts'
export { createCapsulePool } from './pool/capsule-pool.ts'
export type { CapsulePool, CapsulePoolComponents, CapsulePoolInit } from './pool/capsule-pool.ts'
export type { GuestProcess } from './process/guest-process.ts'
export type { Supervisor } from './process/supervisor.ts'
export type { ProcessLimits } from './sandbox/command.ts'
export { startCapsuleProcess } from './process/capsule-process.ts'
export type { CapsuleProcess } from './process/capsule-run.ts'
export { startMachineCapsule } from './process/machine-capsule.ts'
export type { CapsuleMachine, MachineCapsuleInit, MachineStream } from './process/machine-capsule.ts'
export { startMachineModule } from './process/machine-module.ts'
export { findModuleRuntime } from './process/module-runtime.ts'
export type { ModuleRuntime, RuntimeFile } from './process/module-runtime.ts'
export { readGuestScript } from './toolchain/powers/guest-script.ts'
export type { CapsuleProcessComponents, CapsuleProcessInit, CapsuleSink } from './process/init.ts'
export type { CapsuleChannel, ChannelFactory, ChannelPort } from './process/channel.ts'
export type { FilePort, FileService, FileServiceFactory } from './process/files.ts'
export type { CapsuleOutcome } from './process/outcome.ts'
export type { RunTrace } from './process/init.ts'
export { createRecording } from './trace/recording.ts'
export type { Recording, RecordingInit } from './trace/recording.ts'
export { replayTrace } from './trace/replay.ts'
export type { ReplayResult } from './trace/replay.ts'
export { decodeTrace } from './trace/trace-file.ts'
export type { DecodedTrace, TraceEnd, TraceHead } from './trace/trace-file.ts'
export { TRACE_BYTES_MAX } from './trace/constants.ts'
export { createTraceFile, readTraceFile } from './trace/powers.ts'
export type { TraceFile } from './trace/powers.ts'
export { FileError } from './files/errors.ts'
export type { FileErrorCode } from './files/errors.ts'
export type {
  CapsuleFiles,
  FileEntry,
  FileHandle,
  FileKind,
  FileLinks,
  FileStat,
  FileTimes,
  LinkOptions,
  OpenOptions
} from './files/files.ts'
export { checkFilePath } from './files/paths.ts'
export { createMemoryFiles } from './files/memory-files.ts'
export type { MemoryFilesInit } from './files/memory-files.ts'
export { serveFiles } from './files/serve-files.ts'
export type { ServeFilesInit } from './files/serve-files.ts'
export { findGuestEntry, systemPowers } from './powers.ts'
export type { FolderEntry, HostPowers, Identity, SpawnedProcess, SpawnEnd, SpawnInit } from './powers.ts'
export type {
  AccessRequest,
  AccessVerdict,
  Authority,
  Decider,
  Delegation,
  Denial,
  DenialAnswer,
  ExplainedCheck,
  Explanation,
  Grant,
  GrantFilter,
  GrantRequest,
  GrantScope,
  PeekOptions,
  RefusalCode,
  RevocationListener,
  WhyQuery
} from './authority/authority.ts'
export type {
  Audit,
  AuditEntry,
  AuditEntryHead,
  AuditProblem,
  AuditReport,
  RecordedEntry,
  ReplayDifference,
  ReplayReport
} from './authority/audit-types.ts'
export { compareVersions } from './lifecycle/version-order.ts'
export { openLifecycle, lineageOf } from './lifecycle/lifecycle.ts'
export type {
  CapsuleSource,
  FetchedCapsule,
  FetchOptions,
  InstallPlan,
  Lifecycle,
  LifecycleChange,
  LifecycleComponents,
  LineageState
} from './lifecycle/types.ts'
export { ceilingOf, isEmptyCeiling, newInCeiling } from './lifecycle/ceiling.ts'
export type { Ceiling } from './lifecycle/ceiling.ts'
export { openInstalledRecords } from './lifecycle/records.ts'
export type {
  InstalledCapsule,
  InstalledRecords,
  InstalledVersion,
  PendingChange,
  RecordFile
} from './lifecycle/records.ts'
export { createRunningTable } from './lifecycle/running.ts'
export type { Run, RunCounters, RunInit, RunningTable, RunSummary } from './lifecycle/running.ts'
export { createCapsuleLogs, createLineCutter } from './lifecycle/logs.ts'
export type { CapsuleLogs, LogFiles, LogLine } from './lifecycle/logs.ts'
export { createLogFiles, readProcessUsage } from './lifecycle/powers.ts'
export type { ProcessUsage } from './lifecycle/powers.ts'
export type { HostPower } from './broker/host-power.ts'
export type {
  FoundProvider,
  Provider,
  ProviderDirectory,
  ProviderRequest,
  ProviderRequirement,
  ProviderSeeker
} from './broker/provider.ts'
export { openAuthority } from './authority/open-authority.ts'
export type { AuthorityComponents, AuthorityInit } from './authority/core.ts'
export { createMemoryAuthorityStore } from './authority/memory-store.ts'
export { createLevelAuthorityStore } from './authority/powers.ts'
export type { AuthorityStore, StoreChange, StoreRange } from './authority/store.ts'
export { createPromptDesk } from './shell/prompt-desk.ts'
export type {
  PendingQuestion,
  PromptChoice,
  PromptDesk,
  PromptDeskComponents,
  ShownQuestion,
  Watcher
} from './shell/prompt-desk.ts'
export { createVaultAnchors } from './vault/anchor.ts'
export { openVault } from './vault/vault.ts'
export type {
  Vault,
  VaultComponents,
  VaultInit,
  VaultRoot,
  VaultSnapshot,
  VaultUsage
} from './vault/vault.ts'
export { systemVaultDisk } from './vault/powers.ts'
export { createBroker } from './broker/broker.ts'
export type { Broker, BrokerComponents, BrokerSession } from './broker/broker.ts'
export type { BrokerAuthority } from './broker/broker-core.ts'
export type { CapsuleSession, TerminalPower } from './broker/capsule-session.ts'
export type { Shell } from './broker/shell.ts'
export { startProviderDirectory } from './broker/directory.ts'
export type { DirectoryComponents, LoadedProvider, RunningDirectory } from './broker/directory.ts'
export type {
  ProviderChoices,
  ProviderSource,
  ProviderWish,
  ResolvedProvider,
  StartedProvider
} from './broker/provider-source.ts'
