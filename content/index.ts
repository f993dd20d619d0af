/**
 * Content: files and folders as UnixFS, blocks on disk, pins, and the rule that peers are served nothing that
 * does not lie under a root marked public or shared with them. Formats: `docs/protocols/content.md`.
 *
 * @example
 * ```ts
 * import { silentLogger, systemClock, systemRandom } from '#contracts'
 * import { createMemoryBlockStore, startContent } from '#content'
 * import { MemoryDatastore } from 'datastore-core'
 *
 * await using content = await startContent({
 *   routing: 'off',
 *   datastore: new MemoryDatastore(),
 *   blocks: createMemoryBlockStore(),
 *   isDenied: () => false,
 *   clock: systemClock,
 *   random: systemRandom,
 *   logger: silentLogger
 * })
 * const added = await content.addFiles([{ path: 'hello.txt', content: new TextEncoder().encode('hello') }])
 * console.log(added.cid.toString(), added.isPublic)
 * ```
 *
 * @packageDocumentation
 */
export { startContent } from './start-content.ts'
export type { ContentComponents, ContentInit } from './start-content.ts'
export type {
  AddOptions,
  AddResult,
  Announcement,
  ByteSpan,
  Content,
  ContentStatus,
  Entry,
  GetOptions,
  GetProgress,
  GetResult,
  Pin,
  PinOptions,
  ReadOptions,
  VisibilityOptions
} from './content.ts'
export type { AnnouncementCounts } from './announcer.ts'
export type { CollectResult } from './collect-garbage.ts'
export type { DagBlock } from './dag-blocks.ts'
export type {
  CarExport,
  CarImport,
  ExportOptions,
  ImportOptions,
  IncompletePin,
  Repo,
  RepoStat,
  RepoVerification
} from './repo.ts'
export type { AddProgress, Skipped, SkipReason } from './local-tree.ts'
export type { FileEntry } from './file-entries.ts'
export type {
  BlockFound,
  BlockStore,
  BlockToPut,
  PutOptions,
  StoreStat,
  SweepInit,
  SweepResult,
  VerifyInit,
  VerifyResult
} from './block-store.ts'
export { createMemoryBlockStore } from './memory-block-store.ts'
export { openPackBlockStore } from './store/pack-block-store.ts'
export type { PackBlockStoreComponents } from './store/pack-block-store.ts'
export { createFilePowers } from './powers.ts'
export type { FileFacts, FilePowers, FileReader, FileWriter } from './files.ts'
export { cidOf, DAG_CBOR_CODEC, DAG_PB_CODEC, parseCid, parseCidPath, RAW_CODEC } from './cid.ts'
export type { CidPath } from './cid.ts'
export type { FlowInit, FlowLimits, FlowStatus, Rates } from './flow/index.ts'
export { printableName } from './entry-name.ts'
export { ContentError } from './errors.ts'
export { KEPT_FOR_OTHERS } from './root-record.ts'
export type { ContentErrorCode } from './errors.ts'
export type { BlockExchange, BlockSession, ContentRouting, SessionReport } from './exchange.ts'
export type {
  BitswapInit,
  BitswapLibp2p,
  BitswapLimits,
  BitswapStats,
  Misbehaviour,
  MisbehaviourReason
} from './bitswap/index.ts'
export type { BulkConnection, BulkSockets, DagStreamInit, Pipe, RehearsalNetwork } from './stream/index.ts'
