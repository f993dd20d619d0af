import { dirname, join, basename } from 'node:path'
import type { CID } from 'multiformats/cid'
import { errorCode } from '#contracts'
import { blockKey, RAW_CODEC } from '../cid.ts'
import { READ_AHEAD_BLOCKS } from '../constants.ts'
import { linksOf } from '../dag-links.ts'
import { ContentError } from '../errors.ts'
import { fileError } from '../files.ts'
import { moveInto } from '../output-tree.ts'
import { traverse } from '../traverse.ts'
import { encodeCarHeader, encodeSectionHead, encodeV2Head, V2_HEAD_BYTES } from './car-format.ts'
import { CAR_BLOCKS_MAX, CAR_BUFFER_BYTES } from './constants.ts'
import type { FilePowers, StoredFile } from '../files.ts'

/** What is written, and where. */
export interface ExportCarInit {
  root: CID
  files: FilePowers
  /** Absolute; checked before. */
  output: string
  force: boolean
  version: 1 | 2
  /** Leaves out blocks that `fetch` does not find, and what is below them, instead of failing. */
  isPartial: boolean
  fetch(cid: CID): Promise<Uint8Array>
  onBlock: (total: { readonly blocks: number; readonly bytes: number }) => void
}

/** What was written. */
export interface ExportedCar {
  readonly blocks: number
  /** Bytes of the file. */
  readonly bytes: number
  /** Blocks that were left out of a partial one. */
  readonly missing: number
}

const ABSENT: ReadonlySet<string | undefined> = new Set(['ERR_CONTENT_NOT_FOUND', 'ERR_BLOCK_CORRUPT'])

/**
 * Writes a DAG as a CAR: depth first, every block once, parents before children, as Kubo does. It appears at `output`
 * when it is whole.
 *
 * @throws ContentError `ERR_CONTENT_TOO_LARGE`, `ERR_DAG_MALFORMED`, `ERR_DISK_FULL`, `ERR_PATH_DENIED`, and
 *   whatever `fetch` throws
 */
export async function exportCar(init: ExportCarInit): Promise<ExportedCar> {
  const { files, output, force, root } = init
  const label = root.toString().slice(-16)
  const temporary = join(dirname(output), `.${basename(output).slice(0, 64)}.${label}.part`)
  try {
    await files.removeFile(temporary)
    let exported: ExportedCar
    {
      await using file = await files.openStored(temporary, 'create')
      exported = await write(file, init)
      await file.flush()
    }
    await moveInto({ files, temporary, output, force })
    return exported
  } catch (thrown) {
    await files.removeFile(temporary).catch(() => undefined)
    throw fileError(thrown, `cannot write ${output}`)
  }
}

async function write(file: StoredFile, init: ExportCarInit): Promise<ExportedCar> {
  const start = init.version === 2 ? V2_HEAD_BYTES : 0
  const sink = new Sink(file, start)
  await sink.add(encodeCarHeader([init.root]))
  let blocks = 0
  let missing = 0
  for await (const { step, bytes } of walk(init)) {
    if (step.isMissing === true) {
      missing++
      continue
    }
    await sink.add(encodeSectionHead(step.cid, bytes.length))
    await sink.add(bytes)
    blocks++
    init.onBlock({ blocks, bytes: sink.position })
  }
  await sink.flush()
  if (start > 0) await file.writeAt([encodeV2Head(sink.position - start)], 0)
  return { blocks, bytes: sink.position, missing }
}

interface Step {
  readonly cid: CID
  isMissing?: boolean
}

function walk({ root, fetch, isPartial }: ExportCarInit): AsyncGenerator<{ step: Step; bytes: Uint8Array }> {
  const seen = new Set<string>()
  const isNew = (cid: CID): boolean => {
    const key = `${cid.code}${blockKey(cid)}`
    if (seen.has(key)) return false
    if (seen.size >= CAR_BLOCKS_MAX) {
      throw new ContentError('ERR_CONTENT_TOO_LARGE', `the content has more than ${CAR_BLOCKS_MAX} blocks`)
    }
    seen.add(key)
    return true
  }
  const step: Step = { cid: root }
  return traverse<Step>([step], {
    fetch: async (next) => {
      try {
        return await fetch(next.cid)
      } catch (thrown) {
        if (!isPartial || next === step || !ABSENT.has(errorCode(thrown))) throw thrown
        next.isMissing = true
        return new Uint8Array()
      }
    },
    expand: ({ cid, isMissing }, bytes) =>
      cid.code === RAW_CODEC || isMissing === true
        ? []
        : linksOf(cid, bytes)
            .filter(isNew)
            .map((below) => ({ cid: below })),
    aheadMax: READ_AHEAD_BLOCKS
  })
}

/** Collects small parts to large writes. */
class Sink {
  readonly #file: StoredFile
  #parts: Uint8Array[] = []
  #bytes = 0
  /** Where the next byte goes. */
  position: number

  constructor(file: StoredFile, position: number) {
    this.#file = file
    this.position = position
  }

  async add(part: Uint8Array): Promise<void> {
    this.#parts.push(part)
    this.#bytes += part.length
    this.position += part.length
    if (this.#bytes >= CAR_BUFFER_BYTES || this.#parts.length >= 512) await this.flush()
  }

  async flush(): Promise<void> {
    const parts = this.#parts
    const start = this.position - this.#bytes
    this.#parts = []
    this.#bytes = 0
    await this.#file.writeAt(parts, start)
  }
}
