import { describeWhole } from '../consent.ts'
import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument } from '../input.ts'
import { formatBytes, formatTable, printResult } from '../output.ts'

/** `elastos capsule inspect NAME` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const capsule = await client.call('capsule.inspect', { name: requiredArgument(input, 'name') })
  const { stateBytes } = capsule
  const rows = [
    ['capsule', `${capsule.name} ${capsule.version}`],
    ['called', capsule.alias],
    ['signed by', capsule.publisher],
    ['cid', capsule.cid],
    ['installed', new Date(capsule.installedAtMs).toISOString()],
    ['runs', capsule.running === 0 ? 'no' : String(capsule.running)],
    ['keeps', stateBytes === undefined ? 'nothing' : formatBytes(stateBytes)],
    ...(capsule.description === undefined ? [] : [['it says', `"${capsule.description}"`]]),
    ...capsule.versions.map(({ version, isCurrent, hasState, cid }, index) => [
      index === 0 ? 'versions' : '',
      `${version}${isCurrent ? ' (runs)' : hasState ? ' (with its data)' : ''}  ${cid}`
    ]),
    ...Object.entries(capsule.limits).map(([name, value], index) => [
      index === 0 ? 'limits' : '',
      `${name} ${value}`
    ])
  ]
  await printResult(context, capsule, [...formatTable(rows), '', ...describeWhole(capsule.ceiling)])
}
