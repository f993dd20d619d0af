import type { QuestionAnswer, QuestionStatus } from '#contracts'
import type { CliContext, CommandInput, ControlClient } from '../context.ts'
import { CliError } from '../errors.ts'
import { describeAnswers, describeQuestion, readReply } from '../grant-question.ts'
import { requiredArgument, switchOption, textOption } from '../input.ts'
import { printNotice, printResult } from '../output.ts'

/** `elastos grant answer ID` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const id = requiredArgument(input, 'id')
  const given = readOptions(input)
  await using client = await context.connect()
  const answer = given ?? (await ask(context, client, id))
  const { isWaiting } = await client.call('grant.answer', { id, answer })
  const what = answer.isAllowed ? `allowed: ${answer.scope}` : 'refused'
  await printResult(context, { id, isWaiting, ...answer }, [what])
  if (!isWaiting) await printNotice(context, 'it holds from the next run of the capsule on')
}

/** The answer on the command line, if there is one. @throws CliError ERR_USAGE for two of them */
function readOptions(input: CommandInput): QuestionAnswer | undefined {
  const scope = textOption(input, 'allow')
  const resource = textOption(input, 'resource')
  const [isDenied, isNever] = [switchOption(input, 'deny'), switchOption(input, 'never')]
  if ([scope !== undefined, isDenied, isNever].filter((isGiven) => isGiven).length > 1) {
    throw new CliError('ERR_USAGE', 'expected one of --allow, --deny and --never')
  }
  if (isDenied || isNever) return { isAllowed: false, isDurable: isNever }
  if (scope === 'once' || scope === 'session' || scope === 'day' || scope === 'always') {
    return { isAllowed: true, scope, ...(resource === undefined ? {} : { resource }) }
  }
  return undefined
}

async function ask(context: CliContext, client: ControlClient, id: string): Promise<QuestionAnswer> {
  const { questions } = await client.call('grant.pending', {})
  const question = questions.find((one) => one.id.startsWith(id))
  if (question === undefined) {
    throw new CliError('ERR_USAGE', "expected the id of an open question: see 'elastos grant pending'")
  }
  if (!context.stdinIsTerminal) {
    throw new CliError('ERR_TERMINAL_NEEDED', 'expected --allow, --deny or --never, or a terminal to ask on')
  }
  for (const line of describeQuestion(question, context.stderr.columns || 80))
    await printNotice(context, line)
  return await askUntilUnderstood(context, question)
}

async function askUntilUnderstood(context: CliContext, question: QuestionStatus): Promise<QuestionAnswer> {
  let asked = question
  for (;;) {
    for (const line of describeAnswers(asked)) await printNotice(context, line)
    const reply = readReply(await context.ask('Answer: '), asked)
    if (reply.kind === 'hint') await printNotice(context, reply.text)
    if (reply.kind === 'narrow') {
      const { pick: _picked, ...rest } = asked
      asked = { ...rest, resource: reply.resource, choices: [] }
    }
    if (reply.kind !== 'answer') continue
    const { answer } = reply
    if (!answer.isAllowed || asked.resource === question.resource) return answer
    return { ...answer, resource: asked.resource }
  }
}
