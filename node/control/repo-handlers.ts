import type { Content } from '#content'
import { createReporter, freeing } from './content-handlers.ts'
import type { HandlersOf } from './handlers.ts'

/** Corrupt blocks, incomplete pins or roots that ride in one answer. */
const ROWS_MAX = 1_000

type RepoMethod = 'repo.stat' | 'repo.verify' | 'repo.gc' | 'repo.export' | 'repo.import'

/** The block store, for commands. */
export function createRepoHandlers(content: Content): HandlersOf<RepoMethod> {
  const { repo } = content
  return {
    'repo.stat': async () => {
      const { blocks, bytes, bytesOnDisk, packs, pins } = repo.stat()
      return await Promise.resolve({ blocks, bytes, bytesOnDisk, packs, pins })
    },
    'repo.verify': async (_params, { emit, signal }) => {
      const report = createReporter(emit)
      const found = await repo.verify({
        signal,
        onProgress: ({ bytes }) => report({ phase: 'verifying', bytes })
      })
      return {
        ...{ blocks: found.blocks, bytes: found.bytes, pins: found.pins },
        corrupt: found.corrupt.slice(0, ROWS_MAX).map(String),
        incomplete: found.incomplete.slice(0, ROWS_MAX).map(({ cid, name, missing }) => ({
          cid: cid.toString(),
          missing,
          ...(name === undefined ? {} : { name })
        }))
      }
    },
    'repo.gc': async (_params, { signal }) => await content.gc({ signal }),
    'repo.export': async ({ target, ...options }, { emit, signal }) => {
      const report = createReporter(emit)
      const onProgress = ({ bytes }: { bytes: number }): void => report({ phase: 'exporting', bytes })
      const exporting = repo.exportCar(target, { ...options, signal, onProgress })
      const { cid, output, blocks, bytes, missing } = await freeing(content, exporting)
      return { cid: cid.toString(), output, blocks, bytes, missing }
    },
    'repo.import': async ({ path, ...options }, { emit, signal }) => {
      const report = createReporter(emit)
      const onProgress = ({ bytes }: { bytes: number }): void => report({ phase: 'importing', bytes })
      const { version, blocks, bytes, roots } = await freeing(
        content,
        repo.importCar(path, { ...options, signal, onProgress })
      )
      const described = roots.map(({ cid, missing, isPinned }) => ({
        cid: cid.toString(),
        missing,
        isPinned
      }))
      return { version, blocks, bytes, roots: described }
    }
  }
}
