import type { CapsuleChangeStatus, CapsulePlanStatus, CeilingStatus } from '#contracts'
import type { CliContext, ControlClient } from './context.ts'
import { CliError } from './errors.ts'
import { formatBytes, formatTable, printNotice, printResult, safeText } from './output.ts'
import { showProgress } from './progress.ts'

/** What was asked for on the command line of `capsule install` and `capsule update`. */
export interface ConsentInit {
  readonly target: string
  /** What to call it. */
  readonly as?: string | undefined
  /** Whether `target` is what an installed capsule is called, whose latest version is wanted. */
  readonly isUpdate: boolean
  readonly isYes: boolean
  /** Only show what it would mean. */
  readonly isDry: boolean
  readonly deadlineMs?: number | undefined
}

/**
 * Finds a capsule, shows what it may ever ask for (of an update: what is new), asks, and installs exactly what was
 * shown.
 *
 * @throws CliError ERR_CANCELLED when the answer is no; ERR_TERMINAL_NEEDED when nobody can be asked
 */
export async function installAfterConsent(
  context: CliContext,
  client: ControlClient,
  init: ConsentInit
): Promise<CapsuleChangeStatus | undefined> {
  const plan = await findPlan(context, client, init)
  if (init.isDry) {
    await printResult(context, plan, describePlan(plan))
    return undefined
  }
  if (plan.kind === 'same') {
    await printNotice(context, `${plan.alias} ${plan.capsule.version} is what is installed`)
    if (init.isUpdate) return undefined
  }
  if (plan.aliasTakenBy !== undefined) {
    throw new CliError(
      'ERR_USAGE',
      `${plan.alias} is what ${plan.aliasTakenBy} is called here: choose another name with --as`
    )
  }
  await context.stderr.write(context.json ? '' : `${describePlan(plan).map(safeText).join('\n')}\n`)
  if (plan.needsConsent && !init.isYes) await askConsent(context, plan)
  const { signal } = context
  const params = { cid: plan.capsule.cid, as: plan.alias }
  return await client.call('capsule.install', params, { signal })
}

async function findPlan(
  context: CliContext,
  client: ControlClient,
  { target, as, isUpdate, deadlineMs }: ConsentInit
): Promise<CapsulePlanStatus> {
  await using progress = showProgress(context)
  return await client.call(
    'capsule.plan',
    {
      target,
      ...(as === undefined ? {} : { as }),
      ...(isUpdate ? { installed: true } : {}),
      ...(deadlineMs === undefined ? {} : { deadlineMs })
    },
    { onEvent: progress.onEvent, signal: context.signal }
  )
}

async function askConsent(context: CliContext, plan: CapsulePlanStatus): Promise<void> {
  const what = plan.kind === 'update' ? `Update ${plan.alias}` : `Install it as ${plan.alias}`
  if (!context.stdinIsTerminal) {
    throw new CliError(
      'ERR_TERMINAL_NEEDED',
      `expected a terminal to ask on: '${what}?'; with --yes it is not asked, with --dry-run only shown`
    )
  }
  const answer = (await context.ask(`${what}? [y/N] `))?.trim().toLowerCase()
  if (answer !== 'y' && answer !== 'yes') {
    throw new CliError('ERR_CANCELLED', 'nothing was installed')
  }
}

/** A plan for people. */
export function describePlan(plan: CapsulePlanStatus): string[] {
  const { capsule, kind, from, isOlder, added, ceiling } = plan
  const rows = [
    ['capsule', `${capsule.name} ${capsule.version}${from === undefined ? '' : ` (now ${from})`}`],
    ['signed by', capsule.publisher ?? 'nobody'],
    ['cid', capsule.cid],
    ['size', `${capsule.files} files, ${formatBytes(capsule.bytes)}, every byte verified`]
  ]
  if (plan.description !== undefined) rows.push(['it says', `"${plan.description}"`])
  const lines = formatTable(rows)
  if (isOlder) lines.push(`It is OLDER than the ${from ?? 'version'} that is installed.`)
  if (kind === 'update') {
    const news = describeCeiling(added)
    return [
      ...lines,
      '',
      ...(news.length === 0 ? ['It may ask for nothing new.'] : ['New, it may ask for:', ...news])
    ]
  }
  return [...lines, '', ...describeWhole(ceiling)]
}

/** All a capsule may ever ask for, with what that means. */
export function describeWhole(ceiling: CeilingStatus): string[] {
  const all = describeCeiling(ceiling)
  if (all.length === 0) return ['It can never ask for more than its own standard streams.']
  return [
    'It may ask you for this, and never for more:',
    ...all,
    'It has none of it yet: it asks when it runs, and you answer.'
  ]
}

/** The lines of a ceiling; reasons are marked as the claims they are. */
export function describeCeiling(ceiling: CeilingStatus): string[] {
  const capabilities = formatTable(
    ceiling.capabilities.map(({ command, resource, reason }) => [
      `  ${command}`,
      resource,
      `its author says: "${reason}"`
    ])
  )
  return [
    ...capabilities,
    ...(ceiling.files ? ['  files of its own, as the folder /data'] : []),
    ...ceiling.requires.map(
      ({ contract, capsule }) => `  calls ${contract}${capsule === undefined ? '' : ` of ${capsule}`}`
    ),
    ...ceiling.provides.map((contract) => `  serves ${contract} to other capsules`),
    ...ceiling.powers.map((power) => `  POWER of this device: ${power}`)
  ]
}
