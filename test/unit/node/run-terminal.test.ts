import assert from 'node:assert/strict'
import type { TerminalSize } from '#contracts'
import { createRunTerminal, type Attachment, type RunTerminal } from '../../../node/run-terminal.ts'

interface Visitor {
  readonly place: Attachment
  readonly seen: string
  readonly isTyping: boolean
  readonly isRaw: boolean
}

interface VisitorInit {
  readonly size?: TerminalSize
  readonly isWatching?: boolean
  /** How it takes what it is shown; at once when absent. */
  readonly take?: () => Promise<void>
}

function visit(terminal: RunTerminal, { size, isWatching = false, take }: VisitorInit = {}): Visitor {
  let [seen, isTyping, isRaw] = ['', false, false]
  const place = terminal.attach({
    ...{ size, isWatching },
    show: async (_stream, bytes) => {
      await take?.()
      seen += Buffer.from(bytes).toString()
    },
    setRaw: (wanted) => (isRaw = wanted),
    setTyping: (typing) => (isTyping = typing)
  })
  return {
    place,
    get seen() {
      return seen
    },
    get isTyping() {
      return isTyping
    },
    get isRaw() {
      return isRaw
    }
  }
}

/** What a run is told of its size. */
function listen(terminal: RunTerminal): string[] {
  const sizes: string[] = []
  terminal.onSession({ resize: ({ columns, rows }) => void sizes.push(`${columns}x${rows}`) })
  return sizes
}

async function write(terminal: RunTerminal, text: string): Promise<void> {
  await terminal.stdout.write(Buffer.from(text))
}

async function read(terminal: RunTerminal): Promise<string | undefined> {
  const next = await terminal.stdin[Symbol.asyncIterator]().next()
  return next.done === true ? undefined : Buffer.from(next.value).toString()
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

const SIZE = { columns: 100, rows: 30 }

describe('the terminal of a run', () => {
  it('outlives who looks at it, and shows the next one what was written meanwhile', async () => {
    const terminal = createRunTerminal(SIZE)
    const first = visit(terminal)
    await write(terminal, 'one ')
    first.place[Symbol.dispose]()
    await write(terminal, 'two ')
    assert.equal(first.seen, 'one ')
    const second = visit(terminal)
    await write(terminal, 'three')
    assert.equal(second.seen, 'one two three')
    assert.equal(second.place.over.aborted, false)
    terminal.end()
    assert.equal(second.place.over.aborted, true)
    assert.equal(await read(terminal), undefined)
  })

  it('takes the keys of the last who came, and of the one before when that one leaves', async () => {
    const terminal = createRunTerminal(SIZE)
    const first = visit(terminal)
    const typed = first.place.type(Buffer.from('a'))
    assert.equal(await read(terminal), 'a')
    assert.equal(await typed, 'taken')
    const second = visit(terminal)
    assert.deepEqual([first.isTyping, second.isTyping], [false, true])
    assert.equal(await first.place.type(Buffer.from('dropped')), 'watching')
    void second.place.type(Buffer.from('b'))
    assert.equal(await read(terminal), 'b')
    const untaken = second.place.type(Buffer.from('never taken'))
    second.place[Symbol.dispose]()
    assert.equal(await untaken, 'ended')
    assert.equal(second.isTyping, true, 'who leaves is told nothing')
    assert.equal(first.isTyping, true)
    void first.place.type(Buffer.from('c'))
    assert.equal(await read(terminal), 'c')
  })

  it('shows who only watches all of it, and lets it decide nothing', async () => {
    const terminal = createRunTerminal(SIZE)
    const sizes = listen(terminal)
    const typing = visit(terminal)
    const watching = visit(terminal, { isWatching: true, size: { columns: 10, rows: 10 } })
    watching.place.resize({ columns: 11, rows: 11 })
    await watching.place.type(Buffer.from('x'))
    assert.deepEqual([typing.isTyping, watching.isTyping, sizes], [true, false, []])
    terminal.power.setRaw(true)
    assert.deepEqual([typing.isRaw, watching.isRaw, visit(terminal).isRaw], [true, true, true])
    await write(terminal, 'drawn')
    assert.equal(watching.seen, 'drawn')
  })

  it('has the size of who types, and makes the program draw again for it', () => {
    const terminal = createRunTerminal(SIZE)
    const sizes = listen(terminal)
    assert.deepEqual(terminal.power.status(), { ...SIZE, isRaw: false })
    const first = visit(terminal, { size: SIZE })
    assert.deepEqual(sizes.splice(0), ['100x29', '100x30'])
    const second = visit(terminal, { size: { columns: 40, rows: 10 } })
    first.place.resize({ columns: 90, rows: 20 })
    assert.deepEqual(sizes.splice(0), ['40x10'])
    second.place[Symbol.dispose]()
    assert.deepEqual(sizes, ['90x20'])
    assert.deepEqual(terminal.power.status(), { columns: 90, rows: 20, isRaw: false })
  })

  it('waits for who types and for nobody else', async () => {
    const terminal = createRunTerminal(SIZE)
    const never = new Promise<void>(() => undefined)
    const watching = visit(terminal, { isWatching: true, take: () => never })
    for (let count = 0; count < 40; count += 1) await write(terminal, 'x'.repeat(50_000))
    assert.equal(watching.place.over.aborted, true, 'who takes nothing is left behind')
    const typing = visit(terminal, { take: () => never })
    let isWritten = false
    const writing = write(terminal, 'held').then(() => (isWritten = true))
    await settled()
    assert.equal(isWritten, false)
    typing.place[Symbol.dispose]()
    await writing
  })

  it('makes another terminal as the one that was drawn on, however long ago', async () => {
    const terminal = createRunTerminal(SIZE)
    await write(terminal, '\u001b[?1049h\u001b[?20')
    await write(terminal, '04h\u001b[?25l\u001b[?25hfirst\n')
    for (let count = 0; count < 20; count += 1) await write(terminal, `${'y'.repeat(9_999)}\n`)
    const { seen } = await shown(terminal)
    assert.ok(seen.startsWith('\u001b[?1049h\u001b[?2004h\ny'), JSON.stringify(seen.slice(0, 40)))
    assert.ok(seen.length < 70_000)
    await write(terminal, '\u001b[?1049l')
    assert.ok((await shown(terminal)).seen.startsWith('\u001b[?2004h\n'))
  })

  it('has room for some', () => {
    const terminal = createRunTerminal(SIZE)
    for (let count = 0; count < 8; count += 1) visit(terminal)
    assert.throws(() => visit(terminal), { code: 'ERR_CONTROL_BUSY' })
  })
})

async function shown(terminal: RunTerminal): Promise<Visitor> {
  const visitor = visit(terminal)
  await settled()
  visitor.place[Symbol.dispose]()
  return visitor
}
