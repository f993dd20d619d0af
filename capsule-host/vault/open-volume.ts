import { join } from 'node:path'
import { errorCode } from '#contracts'
import { FileError } from '../files/errors.ts'
import { Anchoring, contradiction, type VaultAnchor } from './anchor.ts'
import { BlockStore, guarded, unitsOf } from './block-store.ts'
import type { BlockRef } from './block.ts'
import { ChunkIndex } from './chunk-index.ts'
import { HEAD_UNITS, UNIT_BYTES } from './constants.ts'
import type { VaultFile } from './disk.ts'
import { EntryTree } from './entry-tree.ts'
import { decodeEntry, encodeEntry, entryKey, ROOT_INODE } from './entry.ts'
import { SALT_BYTES, selectHead, type OpenedHead } from './head.ts'
import { isLeaf } from './page.ts'
import { Space } from './space.ts'
import { UnitMap } from './unit-map.ts'
import { Volume, type VolumeComponents } from './volume.ts'

/** Which vault file. */
export interface VolumeInit {
  readonly folder: string
  readonly lineage: string
  /** Whether one that is not as new as it was is taken all the same. */
  readonly acceptsOlder: boolean
}

/** Ends the name of a file that is not whole yet; one that is found was left behind by a crash. */
const UNFINISHED = '.new'

/**
 * Opens a lineage's vault file, or makes it.
 *
 * @throws FileError `ERR_FILE_CORRUPT` when nothing in it can be read or it is not as new as it was, `ERR_FILE_NO_SPACE`, `ERR_FILE_IO`
 */
export async function openVolume(components: VolumeComponents, init: VolumeInit): Promise<Volume> {
  const name = components.key.fileName(init.lineage)
  const path = join(init.folder, name)
  const file = await guarded('open', components.disk.openFile(path))
  if (file === undefined) await checkAnchor(components, init, undefined)
  const volume =
    file === undefined
      ? await createVolume(components, init, path)
      : await readVolume(components, init, file).catch(async (thrown: unknown) => {
          await file[Symbol.asyncDispose]()
          throw thrown
        })
  try {
    if (file !== undefined) await checkAnchor(components, init, volume)
    const { anchors, clock, logger } = components
    if (anchors !== undefined)
      await volume.anchor(new Anchoring({ anchors, clock, logger }, { name, salt: volume.salt }))
    return volume
  } catch (thrown) {
    await volume.close()
    throw thrown
  }
}

/** @throws FileError `ERR_FILE_CORRUPT` when what is there is not what was left there */
async function checkAnchor(
  { anchors, key, logger }: VolumeComponents,
  { lineage, acceptsOlder }: VolumeInit,
  volume: Volume | undefined
): Promise<void> {
  const anchorOf = async (): Promise<VaultAnchor | undefined> => await anchors?.get(key.fileName(lineage))
  const problem = contradiction(await guarded('look up', anchorOf()), volume)
  if (problem === undefined) return
  logger.error('a vault file is not the one that was left', { lineage, problem, isAccepted: acceptsOlder })
  if (acceptsOlder) return
  throw new FileError('ERR_FILE_CORRUPT', `expected the vault file as it was left: ${problem}`)
}

async function createVolume(
  components: VolumeComponents,
  { folder, lineage }: VolumeInit,
  path: string
): Promise<Volume> {
  const { disk, clock, random } = components
  await guarded('make a folder', disk.makeFolder(folder))
  const file = await guarded('create', disk.createFile(path + UNFINISHED))
  try {
    const salt = random.bytes(SALT_BYTES)
    const space = new Space(new UnitMap())
    const key = components.key.volumeKey(lineage, salt)
    const blocks = new BlockStore({ file, key, space, random }, 0)
    const none = { tree: undefined, bytes: 0, entries: 0, generation: 0, snapshots: [] }
    const head = { ...none, lineage, nextInode: ROOT_INODE + 1 }
    const volume = new Volume(components, { file, salt, head, space, blocks, damage: undefined })
    const nowNs = BigInt(Math.floor(clock.nowMs())) * 1_000_000n
    const times = { accessedNs: nowNs, modifiedNs: nowNs, changedNs: nowNs }
    const root = { kind: 'folder', inode: ROOT_INODE, bytes: 0, levels: 0, content: undefined } as const
    await volume.tree.set(entryKey(0, ''), encodeEntry({ ...root, ...times }))
    await blocks.refillReserve()
    volume.changed()
    await volume.commit()
    await blocks.sync()
    await guarded('rename', disk.rename(path + UNFINISHED, path))
    await guarded('sync', disk.syncFolder(folder))
    return volume
  } catch (thrown) {
    await file[Symbol.asyncDispose]()
    throw thrown
  }
}

async function readVolume(
  components: VolumeComponents,
  { lineage }: VolumeInit,
  file: VaultFile
): Promise<Volume> {
  const { key, random } = components
  const opened = await readHeads(components, file, lineage)
  const { head, salt } = opened
  const fileBytes = await guarded('look at', file.size())
  const fileUnits = Math.floor(fileBytes / UNIT_BYTES)
  // Reading needs no free units: the walk has a store without any.
  const volumeKey = key.volumeKey(lineage, salt)
  const reader = new BlockStore({ file, key: volumeKey, space: new Space(new UnitMap()), random }, fileBytes)
  let damage: FileError | undefined
  const walk = async (tree: BlockRef): Promise<UnitMap> => {
    const units = new UnitMap()
    try {
      await collectUnits(reader, { tree, fileUnits }, units)
    } catch (thrown) {
      if (!(thrown instanceof FileError) || errorCode(thrown) !== 'ERR_FILE_CORRUPT') throw thrown
      damage = new FileError(
        'ERR_FILE_CORRUPT',
        'the vault file is damaged: what is whole can be read, nothing can be changed',
        {
          cause: thrown
        }
      )
    }
    return units
  }
  const space = new Space(await walk(head.tree))
  for (const snapshot of head.snapshots) space.addSnapshot(snapshot.id, await walk(snapshot.tree))
  if (damage !== undefined) components.logger.error('a vault file is damaged', { code: damage.code })
  const blocks = new BlockStore({ file, key: volumeKey, space, random }, fileBytes)
  return new Volume(components, { file, salt, head, space, blocks, damage })
}

async function readHeads({ key }: VolumeComponents, file: VaultFile, lineage: string): Promise<OpenedHead> {
  const units = new Uint8Array(HEAD_UNITS * UNIT_BYTES)
  const filled = await guarded('read', file.read(0, units))
  return selectHead(units.subarray(0, filled), key, lineage)
}

/** Marks every unit that a state holds. @throws FileError `ERR_FILE_CORRUPT` */
async function collectUnits(
  blocks: BlockStore,
  { tree, fileUnits }: { tree: BlockRef; fileUnits: number },
  units: UnitMap
): Promise<void> {
  const mark = (ref: BlockRef): void => {
    const count = unitsOf(ref.length)
    if (ref.unit < HEAD_UNITS || ref.unit + count > fileUnits || !units.isFree(ref.unit, count)) {
      throw new FileError('ERR_FILE_CORRUPT', 'expected every block of the vault at a place of its own')
    }
    units.add(ref.unit, count)
  }
  // Nothing is changed during a walk, so nothing is taken or given back.
  const none = { take: () => 0, free: () => undefined }
  mark(tree)
  for await (const { ref, page } of new EntryTree({ blocks, units: none }, tree).pages()) {
    if (ref !== undefined && ref !== tree) mark(ref)
    if (!isLeaf(page)) continue
    for (const value of page.values) {
      const entry = decodeEntry(value)
      if (entry.content === undefined) continue
      for await (const held of new ChunkIndex({ blocks, units: none, inode: entry.inode }, entry).refs())
        mark(held)
    }
  }
}
