import type { Random } from '#contracts'
import type { GivenDisk } from './given-disk.ts'
import type { TemplatePowers } from './powers.ts'
import { rehearsalImage } from './rehearsal.ts'

/** What {@link createHandover} works with. */
export interface HandoverComponents {
  readonly files: TemplatePowers
  readonly random: Random
}

/** The folder from which machines get their disks: each is there under a name that nobody else knows, until it is open. */
export interface Handover {
  readonly folder: string
  /** The image of rehearsals. */
  readonly rehearsal: string
  /** Makes the folder, in place of one with names that were left there; once. */
  open(): Promise<void>
  /** Whether there is such a folder, also one that was left. */
  isThere(): Promise<boolean>
  /**
   * Gives a machine its disk.
   *
   * @throws VmmError `ERR_VM_START`; an error of the file system where there is no such image
   */
  give(disk: GivenDisk, image: string): Promise<void>
}

/** Machines of the pool in `folder` get their disks here. */
export function createHandover({ files, random }: HandoverComponents, folder: string): Handover {
  const handover = `${folder}/handover`
  // Not named as images are, of which only the last ones are kept.
  const rehearsal = `${folder}/rehearsal`
  let opened: Promise<void> | undefined
  const make = async (): Promise<void> => {
    await files.makeHiddenFolder(handover)
    await files.remove(rehearsal)
    await files.write(rehearsal, await rehearsalImage())
  }
  return {
    folder: handover,
    rehearsal,
    open: () =>
      (opened ??= make().catch((thrown: unknown) => {
        opened = undefined
        throw thrown
      })),
    isThere: async () => (await files.mark(handover)) !== undefined,
    give: async (disk, image) => {
      const name = Buffer.from(random.bytes(16)).toString('hex')
      const path = `${handover}/${name}`
      await files.give(image, path)
      try {
        await disk.give(name)
      } finally {
        await files.remove(path)
      }
    }
  }
}
