import { resolve } from 'node:path'
import { packageRoot } from '#capsule-host'
import {
  buildGuest,
  guestVersion,
  machineArch,
  systemGuestBuildPowers,
  systemVmmPowers,
  type MachineArch
} from '#vmm'
import type { CliContext, CommandInput } from '../context.ts'
import { choiceOption, requiredArgument } from '../input.ts'
import { formatBytes, printNotice, printResult } from '../output.ts'

/** `elastos guest build FOLDER` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const output = resolve(context.workingFolder, requiredArgument(input, 'folder'))
  const { description, files } = await buildGuest(systemGuestBuildPowers, { arch: readArch(input), output })
  const cid = (await packageRoot(files)).toString()
  const bytes = [...files.values()].reduce((sum, file) => sum + file.byteLength, 0)
  const version = guestVersion(description)
  await printResult(
    context,
    { folder: output, cid, version, bytes, arch: description.arch, guest: description },
    [cid]
  )
  await printNotice(context, `${version} for ${description.arch}, ${formatBytes(bytes)}, in ${output}`)
  await printNotice(context, `start it: elastos guest use ${output}`)
}

function readArch(input: CommandInput): MachineArch {
  return choiceOption(input, 'arch', ['x86_64', 'aarch64']) ?? machineArch(systemVmmPowers.arch) ?? 'x86_64'
}
