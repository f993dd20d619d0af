import type { ModerationAction, RoomModerationStatus } from '#contracts'
import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import { optionalArgument, requiredArgument } from '../input.ts'
import { formatTable, printResult } from '../output.ts'

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
  await using client = await context.connect()
  const room = requiredArgument(input, 'room')
  const status = await client.call('room.moderate', {
    ...{ room, action },
    ...(subject === undefined ? {} : { subject })
  })
  await printResult(context, { ...status }, linesOf(status))
}

function linesOf({ followed, lists }: RoomModerationStatus): readonly string[] {
  if (followed.length === 0 && lists.length === 0) return ['nobody is followed here, and nothing is hidden']
  const unheard = followed.filter((did) => lists.every(({ author }) => author !== did))
  const rows = lists.map(({ author, isOwn, isFollowed, appointed, muted, removed }) => [
    author,
    isOwn ? 'yours' : isFollowed ? 'followed' : 'appointed',
    `${muted.length} muted, ${removed.length} removed, ${appointed.length} appointed`
  ])
  return formatTable([...rows, ...unheard.map((did) => [did, 'followed', 'no list heard yet'])])
}
