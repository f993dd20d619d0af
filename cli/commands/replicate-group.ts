import type { ReplicaGroupStatus } from '#contracts'
import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import { requiredArgument, restArguments } from '../input.ts'
import { formatTable, printResult } from '../output.ts'

/** `elastos replicate group create|join|leave|list [GROUP] [MEMBER…]` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const action = requiredArgument(input, 'action')
  const { signal } = context
  if (!['create', 'join', 'leave', 'list'].includes(action)) {
    throw new CliError('ERR_USAGE', `expected create, join, leave or list, got ${action.slice(0, 40)}`)
  }
  if (action !== 'list') requiredArgument(input, 'group')
  await using client = await context.connect()
  if (action === 'list') {
    const { groups } = await client.call('replica.agreements', {}, { signal })
    const rows = groups.map(({ name, id, members }) => [name, id, `${members.length} members`])
    await printResult(context, { groups }, rows.length > 0 ? formatTable(rows) : ['no groups'])
    return
  }
  const group = requiredArgument(input, 'group')
  if (action === 'leave') {
    const left = await client.call('replica.group-leave', { id: group }, { signal })
    await printResult(context, left, [`left ${left.id}`])
    return
  }
  const joined =
    action === 'create'
      ? await client.call(
          'replica.group-create',
          { name: group, members: restArguments(input, 'members') },
          { signal }
        )
      : await client.call('replica.group-join', { id: group }, { signal })
  await printResult(context, joined, describeGroup(joined))
}

function describeGroup({ id, name, members, isOwn }: ReplicaGroupStatus): string[] {
  const others = isOwn ? [`each of them joins with: elastos replicate group join ${id}`] : []
  return [
    `${name}: ${members.length} ${members.length === 1 ? 'member' : 'members'}`,
    ...members.map((one) => `  ${one}`),
    ...others
  ]
}
