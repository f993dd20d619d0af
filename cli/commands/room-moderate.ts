import { parseDuration, type ModerationAction, type RoomModerationStatus } from '#contracts'
import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import { formatTime } from '../grant-view.ts'
import { optionalArgument, requiredArgument, textOption } from '../input.ts'
import { printResult } from '../output.ts'

const ACTIONS: readonly ModerationAction[] = [
  ...(['list', 'follow', 'unfollow', 'mute', 'unmute'] as const),
  ...(['remove', 'restore', 'appoint', 'dismiss'] as const)
]

/** `elastos room moderate ROOM ACTION [SUBJECT]` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const named = requiredArgument(input, 'action')
  const action = ACTIONS.find((known) => known === named)
  if (action === undefined) {
    throw new CliError('ERR_USAGE', `expected one of ${ACTIONS.join(', ')}, got ${named}`)
  }
  const subject = optionalArgument(input, 'subject')
  if (subject === undefined && action !== 'list') {
    throw new CliError('ERR_USAGE', `expected whom or what to ${action}`)
  }
  const untilMs = muteEnd(input, context, action)
  await using client = await context.connect()
  const room = requiredArgument(input, 'room')
  const status = await client.call('room.moderate', {
    ...{ room, action },
    ...(subject === undefined ? {} : { subject }),
    ...(untilMs === undefined ? {} : { untilMs })
  })
  await printResult(context, { ...status }, linesOfModeration(status))
}

/** When somebody may be heard again; `undefined` for as long as the list holds. @throws CliError ERR_USAGE */
function muteEnd(
  input: CommandInput,
  { clock }: Pick<CliContext, 'clock'>,
  action: ModerationAction
): number | undefined {
  const text = textOption(input, 'for')
  if (text === undefined) return undefined
  if (action !== 'mute') throw new CliError('ERR_USAGE', `expected --for with mute, got ${action}`)
  const durationMs = parseDuration(text) ?? 0
  if (durationMs > 0) return Math.floor(clock.nowMs()) + durationMs
  throw new CliError(
    'ERR_USAGE',
    `expected --for with a duration such as 90s, 10m or 2h, got ${text.slice(0, 40)}`
  )
}

/** A list a line, and below it what is on it. */
export function linesOfModeration({ followed, lists }: RoomModerationStatus): readonly string[] {
  if (followed.length === 0 && lists.length === 0) return ['nobody is followed here, and nothing is hidden']
  const unheard = followed.filter((did) => lists.every(({ author }) => author !== did))
  return [
    ...lists.flatMap(({ author, isOwn, isFollowed, expiresAtMs, appointed, muted, removed }) => [
      `${author}  ${isOwn ? 'yours' : isFollowed ? 'followed' : 'appointed'}, holds until ${formatTime(expiresAtMs)}`,
      ...muted.map(({ did, untilMs }) => `  muted      ${did}${untilOf(untilMs)}`),
      ...removed.map((id) => `  removed    ${id}`),
      ...appointed.map((did) => `  appointed  ${did}`)
    ]),
    ...unheard.map((did) => `${did}  followed, no list heard yet`)
  ]
}

function untilOf(untilMs: number | undefined): string {
  return untilMs === undefined ? '' : `  until ${formatTime(untilMs)}`
}
