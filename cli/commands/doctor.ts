import { join } from 'node:path'
import {
  findGuestEntry,
  mendingCommands,
  probeSandbox,
  systemPowers,
  type SandboxReport
} from '#capsule-host'
import { systemVmmPowers } from '#vmm'
import type { CliContext, CommandInput } from '../context.ts'
import { checkMachines } from '../doctor/machines.ts'
import { checkDisk, checkNode, checkReach, type MachineCheck } from '../doctor/powers.ts'
import { printResult } from '../output.ts'

/** `elastos doctor` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  const checks = [
    checkNode(),
    await checkDisk(context.dataFolder),
    checkReach(),
    await checkSandbox(context),
    await checkMachines(systemVmmPowers, { clock: context.clock, guest: join(context.dataFolder, 'guest') })
  ]
  const lines = checks.flatMap(({ name, isOk, found, mend }) => [
    `${isOk ? 'ok  ' : 'lack'}  ${name.padEnd(8)} ${found}`,
    ...mend.map((command) => `                 mend: ${command}`)
  ])
  await printResult(context, { checks }, lines)
}

async function checkSandbox({ clock, signal }: CliContext): Promise<MachineCheck> {
  const report = await probeSandbox({ powers: systemPowers, clock }, { guestEntry: findGuestEntry(), signal })
  const isOk = report.layout !== undefined
  const lacking = report.checks.filter((check) => !check.isOk).map(({ name, found }) => `${name}: ${found}`)
  const found = isOk
    ? `capsules run in ${report.level} (${holds(report)})`
    : `a stranger's capsule is refused: ${lacking.join('; ')}`
  return { name: 'sandbox', isOk, found, mend: isOk ? [] : mendingCommands(report) }
}

/** What holds a capsule on this machine, the strongest first. */
function holds({ layout }: SandboxReport): string {
  const user = layout?.identity === undefined ? 'as your user, without its rights' : 'as nobody'
  const priority = layout?.nice === undefined ? 'at the priority of the node' : 'at a low priority'
  return `bubblewrap, seccomp, prlimit, node --permission; ${user}, ${priority}`
}
