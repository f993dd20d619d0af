import assert from 'node:assert/strict'
import type { CapsuleStatus, ControlEvent, ControlInput, TerminalSize } from '#contracts'
import { createRunTerminals, type RunTerminals } from '../../../node/control/terminal-handlers.ts'
import { createRunTerminal, type RunTerminal } from '../../../node/run-terminal.ts'

const RUN = 7
const SIZE = { columns: 80, rows: 24 }

interface Caller {
  /** Whether it types, as it was told. */
  readonly told: readonly boolean[]
  readonly ended: Promise<void>
  send(text: string): void
}

/** Runs with one of that terminal. */
function open(): { terminals: RunTerminals; terminal: RunTerminal } {
  const terminals = createRunTerminals()
  const terminal = createRunTerminal(SIZE)
  const ended = new Promise<number>(() => undefined)
  terminals.add({ id: RUN, lineage: 'screen', capsule: {} as CapsuleStatus, terminal, ended })
  return { terminals, terminal }
}

function visit(terminals: RunTerminals, size: TerminalSize | undefined): Caller {
  const inputs: ControlInput[] = []
  const told: boolean[] = []
  const emit = async (event: ControlEvent): Promise<void> => {
    if (event.kind === 'typing') told.push(event.isTyping)
    await Promise.resolve()
  }
  let wake = Promise.withResolvers<undefined>()
  const nextInput = async (): Promise<ControlInput> => {
    for (;;) {
      const input = inputs.shift()
      if (input !== undefined) return input
      await wake.promise
    }
  }
  const context = {
    signal: new AbortController().signal,
    emit,
    nextInput
  }
  return {
    told,
    ended: terminals.visit(RUN, context, { size, isWatching: false, endsInput: false }),
    send: (text) => {
      inputs.push({ kind: 'stdin', base64: Buffer.from(text).toString('base64') })
      wake.resolve(undefined)
      wake = Promise.withResolvers()
    }
  }
}

async function read({ stdin }: RunTerminal): Promise<string> {
  const next = await stdin[Symbol.asyncIterator]().next()
  return next.done === true ? '' : Buffer.from(next.value).toString()
}

/** One whose keys are taken, and then a person who came and whose keys are taken now. */
async function visitBoth(
  { terminals, terminal }: ReturnType<typeof open>,
  size: TerminalSize | undefined
): Promise<[Caller, Caller]> {
  const callers: Caller[] = []
  for (const one of [size, SIZE]) {
    const caller = visit(terminals, one)
    caller.send('key')
    assert.equal(await read(terminal), 'key')
    callers.push(caller)
  }
  return callers as [Caller, Caller]
}

describe('what is typed into a run while somebody else types', () => {
  it('by a pipe is refused with a code: nobody reads the notice there', async () => {
    const runs = open()
    const [pipe, person] = await visitBoth(runs, undefined)
    pipe.send('two')
    await assert.rejects(pipe.ended, { code: 'ERR_CONTROL_BUSY' })
    runs.terminal.end()
    await person.ended
  })

  it('by a person is dropped, who was told', async () => {
    const runs = open()
    const [first, second] = await visitBoth(runs, SIZE)
    first.send('two')
    second.send('b')
    assert.equal(await read(runs.terminal), 'b')
    runs.terminal.end()
    await Promise.all([first.ended, second.ended])
    assert.deepEqual([first.told, second.told], [[true, false], [true]], 'and nobody who leaves')
  })

  it('into an input that has ended is refused with another code', async () => {
    const { terminals, terminal } = open()
    const first = terminal.attach({
      ...{ size: SIZE, isWatching: false, show: async () => await Promise.resolve() },
      ...{ setRaw: () => undefined, setTyping: () => undefined }
    })
    first.endInput()
    const pipe = visit(terminals, undefined)
    pipe.send('one')
    await assert.rejects(pipe.ended, { code: 'ERR_CAPSULE_NO_TERMINAL' })
  })
})
