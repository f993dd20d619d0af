import type { CID } from 'multiformats/cid'
import { errorCode } from '#contracts'
import type { AddStatus, Clock, EntryStatus, PinStatus } from '#contracts'
import { parseCidPath, type AddResult, type Content, type Entry, type Pin } from '#content'
import type { Replication } from '#replication'
import { createDeadline } from '../deadline.ts'
import type { Handler, HandlersOf } from './handlers.ts'
import { takeRows } from './rows.ts'
import type { CallContext } from './server.ts'

/** How long a get may search for somebody who has the content. */
const GET_DEADLINE_MS = 60_000

type ContentMethod =
  'content.add' | 'content.get' | 'content.list' | 'content.pins' | 'content.pin' | 'content.unpin'

/** Files, folders and pins for commands. */
export function createContentHandlers(
  content: Content,
  clock: Clock,
  replication: Pick<Replication, 'hasGoal' | 'holds' | 'prepare' | 'recheck' | 'status'>
): HandlersOf<ContentMethod> {
  return {
    'content.add': async ({ path, ...options }, { emit, signal }) => {
      const report = createReporter(emit)
      const added = await freeing(
        content,
        content.add(path, {
          ...options,
          signal,
          onProgress: ({ bytes, files }) => report({ phase: 'adding', bytes, files })
        })
      )
      return describeAdded(added)
    },
    'content.get': createGetHandler(content, clock),
    'content.list': async ({ target, all = false }, { signal, emit }) => {
      const { cid, names } = parseCidPath(target)
      const send = async (entries: EntryStatus[]): Promise<void> => await emit({ kind: 'rows', entries })
      const init = { describe: describeEntry, send: all ? send : undefined }
      const { rows, isCut } = await takeRows(content.list(cid, names.join('/'), { signal }), init)
      return { entries: rows, isCut }
    },
    'content.pins': async ({ all = false }, { emit }) => {
      const send = async (pins: PinStatus[]): Promise<void> => await emit({ kind: 'rows', pins })
      const init = { describe: describePin, send: all ? send : undefined }
      const { rows, isCut } = await takeRows(content.pins(), init)
      return { pins: rows, isCut }
    },
    'content.pin': async ({ target, ...options }, { emit, signal }) => {
      const report = createReporter(emit)
      const { pin } = await freeing(
        content,
        content.pin(rootOf(target), {
          ...options,
          signal,
          onProgress: ({ blocks }) => report({ phase: 'pinning, blocks', bytes: blocks })
        })
      )
      return describePin(pin)
    },
    'content.unpin': async ({ target }) => {
      const cid = rootOf(target)
      const root = cid.toV1().toString()
      const copiesGoal = replication.hasGoal(root) ? replication.status(root).goal.copies : 0
      // once it is gone from here, only what was prepared can show that others have it
      const prepared = copiesGoal === 0 ? 0 : await replication.prepare(root).catch(() => 0)
      await content.unpin(cid)
      replication.recheck(root)
      return {
        ...{ cid: cid.toString(), copiesGoal, prepared },
        isKeptForOthers: replication.holds(root)
      }
    }
  }
}

function createGetHandler(content: Content, clock: Clock): Handler<'content.get'> {
  return async (params, { emit, signal }) => {
    const { target, output, force = false, deadlineMs = GET_DEADLINE_MS, range } = params
    const report = createReporter(emit)
    using deadline = createDeadline({ clock, signal, idleMs: deadlineMs, what: 'nothing arrived' })
    const getting = content.get(target, {
      output,
      force,
      ...(range === undefined ? {} : { range }),
      signal: deadline.signal,
      onProgress: ({ bytes, bytesTotal, files }) => {
        deadline.extend()
        report({
          phase: 'fetching',
          bytes,
          files,
          ...(bytesTotal === undefined ? {} : { totalBytes: bytesTotal })
        })
      }
    })
    const got = await freeing(content, getting)
    return { cid: got.cid.toString(), output: got.output, bytes: got.bytes, files: got.files }
  }
}

/** On a full disk, what nobody keeps is removed: what did not fit must not keep the disk full. */
export async function freeing<T>(content: Content, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (thrown) {
    if (errorCode(thrown) === 'ERR_DISK_FULL') await content.gc().catch(() => undefined)
    throw thrown
  }
}

function rootOf(target: string): CID {
  return parseCidPath(target).cid
}

/** Sends progress no faster than the caller takes it: what comes while one is on its way is skipped. */
export function createReporter(
  emit: CallContext['emit']
): (progress: { phase: string; bytes: number; totalBytes?: number; files?: number }) => void {
  let isSending = false
  return (progress) => {
    if (isSending) return
    isSending = true
    void emit({ kind: 'progress', ...progress })
      .catch(() => undefined)
      .finally(() => (isSending = false))
  }
}

function describeAdded({ cid, bytes, files, isPublic, skipped, link, announcement }: AddResult): AddStatus {
  return {
    cid: cid.toString(),
    ...{ bytes, files, isPublic },
    ...(link === undefined ? {} : { link }),
    skipped: skipped.map(({ path, reason }) => `${path} (${reason})`),
    isAnnounced: announcement.state === 'announced',
    ...(announcement.state === 'pending' ? { announcePending: announcement.reason } : {})
  }
}

function describePin({ cid, name, isPublic, bytes, createdAtMs }: Pin): PinStatus {
  return {
    cid: cid.toString(),
    ...{ isPublic, createdAtMs },
    ...(name === undefined ? {} : { name }),
    ...(bytes === undefined ? {} : { bytes })
  }
}

const ENTRY_TYPES = { file: 'file', folder: 'directory', link: 'symlink' } as const

function describeEntry({ path, cid, kind, bytes }: Entry): EntryStatus {
  return { name: path, cid: cid.toString(), type: ENTRY_TYPES[kind], bytes: bytes ?? 0 }
}
