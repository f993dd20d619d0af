import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument } from '../input.ts'
import { printNotice, printResult } from '../output.ts'

/** `elastos pin rm CID` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const result = await client.call('content.unpin', { target: requiredArgument(input, 'target') })
  const { cid, copiesGoal, prepared, isKeptForOthers } = result
  await printResult(context, result, [
    isKeptForOthers
      ? `${cid} is kept no longer for you, and still for others: 'elastos replicate quota' says for whom`
      : `${cid} is kept and served no longer`
  ])
  if (copiesGoal > 0) {
    await printNotice(
      context,
      `others still keep ${copiesGoal} ${copiesGoal === 1 ? 'copy' : 'copies'} for you: 'elastos replicate goal ${cid} 0' ends that`
    )
    const holders = `${prepared} ${prepared === 1 ? 'holder' : 'holders'}`
    await printNotice(
      context,
      prepared === 0
        ? 'nobody could be asked later to show that they have it'
        : `questions are prepared for ${holders}: 'elastos replicate status ${cid} --challenge' uses one of each`
    )
  }
}
