import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'

/** What one member wrote down in all its lives. */
export interface MemberLog {
  readonly name: string
  /** When each of its processes began, and was in the room, by the clock of this machine, milliseconds. */
  readonly lives: readonly { readonly backAtMs: number; readonly inAtMs: number }[]
  /** Its own texts, and when it first showed them. */
  readonly said: ReadonlyMap<string, number>
  /** Every text, and when it first showed it. */
  readonly heard: ReadonlyMap<string, number>
  /** Texts that stand in its history twice. */
  readonly repeated: readonly string[]
}

type Line = readonly [event: string, ...rest: readonly unknown[]]

/** Reads a log: of one member, or of several whose lines end with a name. */
export async function readChatLog(file: string): Promise<readonly MemberLog[]> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const lines = text.split('\n').flatMap((line) => {
    // A member that was killed may have written half of its last line.
    try {
      return line === '' ? [] : [JSON.parse(line) as Line]
    } catch {
      return []
    }
  })
  const byName = Map.groupBy(lines, (line) => (typeof line[5] === 'string' ? line[5] : basename(file)))
  return [...byName].map(([name, own]) => readMember(name, own))
}

function readMember(name: string, lines: readonly Line[]): MemberLog {
  const heard = new Map<string, number>()
  const said = new Map<string, number>()
  const indexes = new Map<string, unknown>()
  const repeated: string[] = []
  for (const [event, text, index, atMs, isSelf] of lines) {
    if (event !== 'heard' || typeof text !== 'string') continue
    if (!heard.has(text)) heard.set(text, Number(atMs))
    if (isSelf === true && !said.has(text)) said.set(text, Number(atMs))
    // A reader that was killed is told the last ones again, at the same index; in the history each stands once.
    if ((indexes.get(text) ?? index) !== index) repeated.push(text)
    indexes.set(text, index)
  }
  const [began, entered] = [timesOf(lines, 'back'), timesOf(lines, 'in')]
  const lives = began.map((backAtMs) => ({
    backAtMs,
    inAtMs: entered.find((atMs) => atMs >= backAtMs) ?? backAtMs
  }))
  return { name, lives, said, heard, repeated }
}

function timesOf(lines: readonly Line[], event: string): readonly number[] {
  return lines.flatMap(([name, atMs]) => (name === event ? [Number(atMs)] : []))
}

/** For each return of a member, how many seconds it took from the start of its process until it had all that was said before it was in. */
export function returnsOf(log: MemberLog, logs: readonly MemberLog[]): readonly number[] {
  const texts = logs.flatMap(({ said }) => [...said])
  return log.lives.slice(1).map(({ backAtMs, inAtMs }) => {
    const missed = texts
      .filter(([, saidAtMs]) => saidAtMs < inAtMs)
      .map(([text]) => log.heard.get(text) ?? Infinity)
      .filter((heardAtMs) => heardAtMs >= backAtMs)
    return (Math.max(backAtMs, ...missed) - backAtMs) / 1_000
  })
}
