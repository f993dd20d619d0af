/** One chat on three substrates: a command, a capsule in a sandboxed process, and the same capsule in a machine of its own. */
import assert from 'node:assert/strict'
import { dirname, join } from 'node:path'
import { showable } from '#chat'
import { createCliHome, type CliHome } from '../support/cli.ts'
import { startCliNode, type CliNode } from '../support/cli-node.ts'
import { provideGuest } from '../support/guest.ts'
import type { RunningProcess } from '../support/process.ts'
import { isMet } from '../support/requirements.ts'

const KINDS = ['native', 'wasm', 'microvm'] as const
type Kind = (typeof KINDS)[number]

/** A chat on one of the two nodes. Its nick tells which. */
interface Chat {
  readonly kind: Kind
  readonly nick: string
  readonly process: RunningProcess
}

/** An emulated machine beside everything else on a busy computer. */
const START_MS_MAX = 400_000
const MESSAGE_MS_MAX = 120_000
const TEXT_BYTES_MAX = 4096

/** Emoji of several characters, marks, right to left, what turns and hides text, a tab: up to the most bytes a text may have. */
function trickyText(from: string, to: string): string {
  const tricky =
    '👩‍👩‍👧‍👦🏳️‍🌈👍🏽 e\u0301 日本語 עברית العربية \u202eסוף\u202c \u200b\u2066x\u2069\t\u00ad\ufeff\u2028|'
  let text = `${from} to ${to}: `
  while (Buffer.byteLength(text + tricky) <= TEXT_BYTES_MAX) text += tricky
  return text + '.'.repeat(TEXT_BYTES_MAX - Buffer.byteLength(text))
}

describe('one chat on three substrates', function () {
  this.timeout(600_000)
  let home: CliHome
  const nodes: CliNode[] = []
  const chats: Chat[] = []
  const ofNode = (letter: string): readonly Chat[] => chats.filter(({ nick }) => nick.endsWith(`-${letter}`))
  /** The room in which one of each node meets: only one chat of a node can be in a room. */
  const roomOf = (a: Kind, b: Kind): string => `${a}-meets-${b}`
  const roomsOf = ({ kind, nick }: Pick<Chat, 'kind' | 'nick'>): readonly string[] =>
    KINDS.map((other) => (nick.endsWith('-a') ? roomOf(kind, other) : roomOf(other, kind)))
  const onMachine = ['--substrate', 'microvm', '--allow-emulated']

  const startChat = async (kind: Kind, letter: string): Promise<void> => {
    const nick = `${kind}-${letter}`
    const [room = ''] = roomsOf({ kind, nick })
    const data = nodes[letter === 'a' ? 0 : 1]?.status.dataFolder ?? ''
    const where = ['--no-start', '--data', data]
    const capsule = ['capsule', 'run', 'shipped/chat', ...where]
    const process = await home.start(
      kind === 'native'
        ? ['chat', room, '--nick', nick, ...where]
        : [...capsule, ...(kind === 'microvm' ? onMachine : []), '--', room, nick]
    )
    chats.push({ kind, nick, process })
  }

  before(async function () {
    const { guest } = await provideGuest(this)
    home = await createCliHome()
    const flags = ['--shell', 'auto']
    nodes.push(await startCliNode(home, join(home.folder, 'a'), { flags }))
    const [address = ''] = nodes[0]?.status.addresses ?? []
    nodes.push(
      await startCliNode(home, join(home.folder, 'b'), { flags: [...flags, '--bootstrap', address] })
    )
    for (const node of nodes) await node.succeed(['guest', 'use', dirname(guest.kernel)])
  })

  after(async () => {
    for (const { process } of chats) await process.end()
    for (const node of nodes) await node[Symbol.asyncDispose]()
    await home[Symbol.asyncDispose]()
  })

  it('carries every text between every two of them, both ways, the same', async () => {
    // Those that take longest to start first.
    for (const kind of KINDS.toReversed()) for (const letter of ['a', 'b']) await startChat(kind, letter)
    for (const { process, nick, kind } of chats) {
      const rooms = roomsOf({ kind, nick })
      const told = (line: string): boolean => line.includes(`you are in ${rooms[0] ?? ''} as ${nick}`)
      await process.stderr.line(told, { timeoutMs: START_MS_MAX })
      process.write(
        rooms
          .slice(1)
          .map((room) => `/join ${room}\n`)
          .join('')
      )
    }
    for (const { process, nick } of chats) {
      for (const other of ofNode(nick.endsWith('-a') ? 'b' : 'a')) {
        const isMet = (line: string): boolean =>
          line.includes(`${other.nick} is here`) || / here: /.exec(line)?.input.includes(other.nick) === true
        // Only the other one's own words say why it is not there.
        const context = (): string => `${other.nick}: ${other.process.stderr.text()}`
        await process.stderr.line(isMet, { timeoutMs: MESSAGE_MS_MAX, context })
      }
    }
    const pairs = chats.flatMap((from) =>
      ofNode(from.nick.endsWith('-a') ? 'b' : 'a').map((to) => ({ from, to }))
    )
    assert.equal(pairs.length, 18)
    for (const { from, to } of pairs) {
      const room = from.nick.endsWith('-a') ? roomOf(from.kind, to.kind) : roomOf(to.kind, from.kind)
      from.process.write(`/join ${room}\n${trickyText(from.nick, to.nick)}\n`)
    }
    for (const { from, to } of pairs) {
      const mark = `${from.nick} to ${to.nick}: `
      const line = await to.process.stdout.line((text) => text.includes(mark), { timeoutMs: MESSAGE_MS_MAX })
      const shown = line.slice(line.indexOf(`<${from.nick}> `))
      assert.equal(shown, `<${from.nick}> ${showable(trickyText(from.nick, to.nick))}`)
    }
    // What steers a terminal is no text anywhere: who says it hears so, in the same words.
    for (const { process } of chats) process.write('\u001b[31mred\u0007\n')
    for (const { process } of chats) {
      await process.stderr.line((line) => line.includes('ERR_TEXT_INVALID'), { timeoutMs: MESSAGE_MS_MAX })
    }
    for (const { process } of chats) process.endInput()
    for (const { process, nick } of chats) {
      assert.equal((await process.ended).code, 0, `${nick}: ${process.stderr.text()}`)
    }
  })

  it('draws on a terminal from within a machine, for whoever comes to it and as large as theirs', async function () {
    const [node] = nodes
    if (node === undefined || !(await isMet('terminal'))) return this.skip()
    const run = ['capsule', 'run', 'shipped/chat', '--detach', '--raw', ...onMachine, 'alone', 'ann']
    const { json } = await node.succeed(run, { timeoutMs: START_MS_MAX })
    const attach = ['capsule', 'attach', String(json?.['run']), '--data', node.status.dataFolder]
    await using first = await home.terminal(attach)
    await first.stdout.match(/you are in alone as ann/, { timeoutMs: START_MS_MAX })
    first.write('höher 👍\r')
    await first.stdout.match(/<ann>[^\n]*höher 👍/, { timeoutMs: MESSAGE_MS_MAX })
    first.control(']')
    assert.equal((await first.ended).code, 0)
    await using second = await home.terminal(attach, { columns: 40, rows: 12 })
    // Drawn again at its size: the line that is typed in is the last.
    await second.stdout.match(/\[K.\[12;\d+H/, { timeoutMs: MESSAGE_MS_MAX })
    second.write('/quit\r')
    assert.equal((await second.ended).code, 0)
  })
})
