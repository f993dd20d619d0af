import { createWordQuiz } from '#did'
import { systemRandom } from '#contracts'
import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import { openIdentity } from '../identity.ts'
import { formatTable, printNotice, printResult } from '../output.ts'

const COLUMNS = 4
/** The alternate screen leaves nothing in the scrollback of the terminal. */
const ENTER_SCREEN = '\u001b[?1049h'
const CLEAR_SCREEN = '\u001b[2J\u001b[H'
const LEAVE_SCREEN = '\u001b[?1049l'

/** `elastos id words` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  if (!context.stdinIsTerminal || !context.stderr.isTerminal) {
    throw new CliError(
      'ERR_TERMINAL_NEEDED',
      'expected a terminal: the words are shown to a person, never to a pipe'
    )
  }
  const { keystore, passphrase } = await openIdentity(context)
  const words = await keystore.words(passphrase === undefined ? {} : { passphrase })
  await context.stderr.write(ENTER_SCREEN)
  try {
    await showWords(context, words)
    await askBack(context, words)
  } finally {
    await context.stderr.write(LEAVE_SCREEN)
  }
  const answer = await context.ask('Keep the key that publishes in your name on this device? [Y/n] ')
  if (answer === undefined)
    throw new CliError('ERR_CANCELLED', 'nothing was changed: the words are still kept here')
  const keepPublishing = !answer.trim().toLowerCase().startsWith('n')
  await keystore.forgetRoot({ keepPublishing })
  await printResult(context, { forgotten: true, keepPublishing }, ['the words are on your paper only now'])
  if (!keepPublishing) await printNotice(context, 'this device can no longer publish in your name')
}

async function showWords(context: CliContext, words: string): Promise<void> {
  const list = words.split(' ').map((word, index) => `${String(index + 1).padStart(2)} ${word}`)
  const rowCount = Math.ceil(list.length / COLUMNS)
  const rows = Array.from({ length: rowCount }, (_, row) =>
    list.filter((_word, index) => index % rowCount === row)
  )
  const text = [
    'Write these 24 words on paper, in this order. They are you: whoever has them can be you, and without them',
    'nobody can bring you back. They are not shown again once you have confirmed them.',
    '',
    ...formatTable(rows).map((line) => `  ${line}`),
    ''
  ]
  await context.stderr.write(CLEAR_SCREEN + text.join('\n') + '\n')
  const answer = await context.ask('Press Enter when they are written down. ')
  if (answer === undefined)
    throw new CliError('ERR_CANCELLED', 'nothing was changed: the words are still kept here')
}

async function askBack(context: CliContext, words: string): Promise<void> {
  await context.stderr.write(CLEAR_SCREEN)
  const quiz = createWordQuiz(words, systemRandom)
  const answers: string[] = []
  for (const position of quiz.positions) {
    const answer = await context.ask(`Word ${position}: `)
    if (answer === undefined)
      throw new CliError('ERR_CANCELLED', 'nothing was changed: the words are still kept here')
    answers.push(answer)
  }
  if (quiz.check(answers)) return
  throw new CliError(
    'ERR_USAGE',
    "those are not the words: nothing was changed, 'elastos id words' shows them again"
  )
}
