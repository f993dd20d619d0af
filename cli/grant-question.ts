import type { QuestionAnswer, QuestionStatus } from '#contracts'
import { safeText } from './output.ts'

/** What a line of a person means at a question. */
export type Reply =
  | { readonly kind: 'answer'; readonly answer: QuestionAnswer }
  /** Go on with a narrower resource. */
  | { readonly kind: 'narrow'; readonly resource: string }
  /** Not understood; say so and ask again. */
  | { readonly kind: 'hint'; readonly text: string }

/** Nothing a capsule says is longer on a person's screen. */
const CLAIM_LENGTH_MAX = 240
/** Marks over and under a letter that stack high enough to cover other lines. */
const STACKED_MARKS = /(\p{M}{2})\p{M}+/gu

/**
 * What a person is asked, line by line. What comes from the capsule or its author stands between marks on lines that
 * begin with a bar, wrapped here, so that nothing it says can look like a line of the question.
 */
export function describeQuestion(question: QuestionStatus, columns: number): string[] {
  const { name, version, petname, command, summary, resource, reason, manifestReason } = question
  const signer = signerOf(question)
  const width = Math.max(40, Math.min(columns, 110))
  return [
    ...row('who', `${name} ${version}`, width),
    ...row('', petname === undefined ? signer : `${signer}, whom you call ${petname}`, width),
    ...row('wants', summary === undefined ? command : `to ${summary} (${command})`, width),
    ...row(question.pick === undefined ? 'of' : `a ${question.pick} of`, resource, width),
    ...(reason === undefined ? [] : claim('it says', reason, width)),
    ...(manifestReason === undefined || manifestReason === reason
      ? []
      : claim('its author', manifestReason, width)),
    ...(reason === undefined && manifestReason === undefined
      ? []
      : row('', '(what it says is a claim: nobody checked it)', width))
  ]
}

function signerOf({ publisher, lineage }: QuestionStatus): string {
  if (publisher !== undefined) return `signed by ${publisher}`
  // No publisher's lineage begins so.
  const isShipped = lineage.startsWith('shipped/')
  return isShipped ? 'part of this release' : 'NOBODY signed it: your own, from a folder'
}

/** The ways to answer, as a person types them. */
export function describeAnswers(question: QuestionStatus): string[] {
  const { choices, pick, resource } = question
  const list = choices.map(({ label, resource: one }, index) => `  ${index + 1}  ${plain(label, 60)}  ${one}`)
  if (pick !== undefined && pick !== 'folder') {
    return [
      ...list,
      `  pick one: its number, or type what comes after ${resource.replace(/\*$/, '')}`,
      '  n no    never    all = no to all it asks in this run'
    ]
  }
  return [
    ...list,
    '  o once   s while it runs   d for a day   always',
    '  n no, run without it (Enter)   never   all = no to all it asks in this run',
    ...(resource.endsWith('/*') ? ['  only RESOURCE = allow less than it asks for'] : [])
  ]
}

const SCOPES: Readonly<Record<string, 'once' | 'session' | 'day' | 'always'>> = {
  o: 'once',
  once: 'once',
  s: 'session',
  session: 'session',
  d: 'day',
  day: 'day',
  always: 'always'
}

/** What a typed line means. An empty one, and the end of input, is no. */
export function readReply(line: string | undefined, question: QuestionStatus): Reply {
  const text = (line ?? '').trim()
  const word = text.toLowerCase()
  if (word === '' || word === 'n' || word === 'no') return deny(false, false)
  if (word === 'never') return deny(true, false)
  if (word === 'all') return deny(false, true)
  const scope = SCOPES[word]
  if (question.pick !== undefined) {
    if (scope !== undefined && question.pick === 'folder') return allow(scope)
    if (scope !== undefined) return { kind: 'hint', text: `pick one ${question.pick} first` }
    return readPick(text, question)
  }
  if (scope !== undefined) return allow(scope)
  const narrow = /^only\s+(\S.*)$/i.exec(text)?.[1]
  if (narrow !== undefined) return { kind: 'narrow', resource: narrow }
  return { kind: 'hint', text: 'type one of: o, s, d, always, n, never, all' }
}

function readPick(text: string, { choices, resource }: QuestionStatus): Reply {
  if (/^\d{1,4}$/.test(text)) {
    const chosen = choices[Number(text) - 1]
    if (chosen === undefined) return { kind: 'hint', text: `expected a number from 1 to ${choices.length}` }
    return { kind: 'narrow', resource: chosen.resource }
  }
  const base = resource.replace(/\*$/, '')
  return { kind: 'narrow', resource: text.startsWith(base) ? text : `${base}${text}` }
}

function allow(scope: 'once' | 'session' | 'day' | 'always'): Reply {
  return { kind: 'answer', answer: { isAllowed: true, scope } }
}

function deny(isDurable: boolean, isAll: boolean): Reply {
  return { kind: 'answer', answer: { isAllowed: false, isDurable, ...(isAll ? { isAll } : {}) } }
}

const LABEL_WIDTH = 12

function row(label: string, text: string, width: number): string[] {
  return wrap(plain(text, 1200), width - LABEL_WIDTH - 2).map(
    (line, index) => `  ${(index === 0 ? label : '').padEnd(LABEL_WIDTH)}${line}`
  )
}

/** A claim between marks, each of its lines behind a bar. */
function claim(label: string, text: string, width: number): string[] {
  const quoted = `“${plain(text, CLAIM_LENGTH_MAX).replace(/[“”]/g, "'")}”`
  return wrap(quoted, width - LABEL_WIDTH - 4).map(
    (line, index) => `  ${(index === 0 ? label : '').padEnd(LABEL_WIDTH)}| ${line}`
  )
}

/** One line without anything that steers a terminal, covers other lines, or pads its way to the next one. */
function plain(text: string, lengthMax: number): string {
  const cut = text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text
  return safeText(cut).replace(STACKED_MARKS, '$1').replace(/\s+/gu, ' ')
}

/** Lines of at most `width` columns; what is not ASCII counts for two, as some of it is that wide. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  let used = 0
  for (const { segment } of new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(text)) {
    const columns = /^[\x20-\x7e]$/.test(segment) ? 1 : 2
    if (used + columns > width) {
      lines.push(line)
      line = ''
      used = 0
    }
    line += segment
    used += columns
  }
  return [...lines, line]
}
