import assert from 'node:assert/strict'
import { runChat, type ChatInit, type ChatPlace, type ChatTold } from '#chat'
import { systemClock } from '#contracts'

const INIT: ChatInit = { mode: 'lines', room: 'garden', nick: 'ann', nowMs: 0 }

/** A place whose rooms answer at once: somebody hears what is said, and repeats it. */
class EchoPlace implements ChatPlace {
  readonly input: AsyncIterable<Uint8Array>
  readonly clock = systemClock
  readonly stop = new AbortController()
  readonly signal: AbortSignal = this.stop.signal
  readonly printed: string[] = []
  readonly noted: string[] = []
  readonly happened: string[] = []
  readonly blocked: string[] = []
  /** What the room refuses to hear. */
  refused: string | undefined
  /** Rejects the visit when it is set. */
  fault: Error | undefined

  constructor(...lines: readonly string[]) {
    this.input = typed(lines)
  }

  async print(text: string): Promise<void> {
    this.printed.push(text)
    await Promise.resolve()
  }

  async note(text: string): Promise<void> {
    this.noted.push(text)
    await Promise.resolve()
  }

  async share(path: string): Promise<string> {
    await Promise.resolve()
    if (path === 'missing') throw new Error('no such file')
    return `link of ${path}`
  }

  async block(did: string, isBlocked: boolean): Promise<void> {
    this.blocked.push(`${did} ${String(isBlocked)}`)
    await Promise.resolve()
  }

  join(
    room: { room: string; nick: string },
    before: Promise<void>,
    tell: ChatTold
  ): ReturnType<ChatPlace['join']> {
    const gone = Promise.withResolvers<undefined>()
    const joined = before.then(async () => {
      this.happened.push(`join ${room.room}`)
      if (this.fault !== undefined) throw this.fault
      void tell({ type: 'here', room: room.room, members: [memberOf(room.nick)] })
      await Promise.resolve()
    })
    let said = 0
    const say = async (text: string): Promise<void> => {
      await joined
      if (text === this.refused) {
        void tell({ type: 'refused', asked: 'send', code: 'ERR_TEXT_INVALID', message: 'expected text' })
        return
      }
      const id = `m${++said}`
      const who = { author: ANN, device: ANN, nick: room.nick, label: room.nick, isSelf: true }
      void tell({ type: 'message', id, ...who, text, sentAtMs: 0, receivedAtMs: 0 })
      const bob = { author: BOB, device: BOB, nick: 'bob', label: 'bob', isSelf: false }
      void tell({ type: 'message', id: `b${said}`, ...bob, text, sentAtMs: 0, receivedAtMs: 0 })
      void tell({ type: 'sent', id, recipients: 1 })
    }
    const leave = (): void => {
      this.happened.push(`leave ${room.room}`)
      gone.resolve(undefined)
    }
    return { say, rename: async () => await joined, leave, left: joined.then(() => gone.promise) }
  }
}

const ANN = 'did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH'
const BOB = 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'

function memberOf(nick: string): Record<string, unknown> {
  return { author: ANN, device: ANN, nick, label: nick, isSelf: true, joinedAtMs: 0 }
}

async function* typed(lines: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const line of lines) yield await Promise.resolve(new TextEncoder().encode(`${line}\n`))
}

describe('a chat at a place', () => {
  it('says each line, and ends when the input ended and all of it was heard', async () => {
    const place = new EchoPlace('hello', 'again')
    await runChat(place, INIT)
    const text = place.printed.join('')
    assert.match(text, /hello/)
    assert.match(text, /again/)
    assert.deepEqual(place.happened, ['join garden', 'leave garden'])
  })

  it('is in several rooms at a time, and leaves them all at its end', async () => {
    const place = new EchoPlace('/join shed', 'hello')
    await runChat(place, INIT)
    assert.deepEqual(place.happened, ['join garden', 'join shed', 'leave garden', 'leave shed'])
    assert.match(place.printed.join(''), /^\d\d:\d\d <bob> hello\n$/)
  })

  it('joins a room again only when leaving it has ended', async () => {
    const place = new EchoPlace('/part', '/join garden', 'hello')
    await runChat(place, INIT)
    assert.deepEqual(place.happened, ['join garden', 'leave garden', 'join garden', 'leave garden'])
    assert.match(place.printed.join(''), /<bob> hello/)
  })

  it('says the link of what is shared, and tells the place whom not to hear', async () => {
    const place = new EchoPlace('/share notes.txt', `/block ${BOB}`, `/unblock ${BOB}`)
    await runChat(place, INIT)
    assert.match(place.printed.join(''), /<bob> link of notes\.txt/)
    assert.deepEqual(place.blocked, [`${BOB} true`, `${BOB} false`])
  })

  it('shows what cannot be shared or said to one person here, and ends all the same', async () => {
    const place = new EchoPlace('/share missing', `/msg ${BOB} psst`)
    await runChat(place, INIT)
    assert.match(place.noted.join(''), /ERR_UNKNOWN: no such file/)
    assert.match(place.noted.join(''), /ERR_DIRECT_NONE/)
  })

  it('shows what the room refuses, and goes on', async () => {
    const place = new EchoPlace('bad', 'good')
    place.refused = 'bad'
    await runChat(place, INIT)
    assert.match(place.noted.join(''), /ERR_TEXT_INVALID/)
    assert.match(place.printed.join(''), /good/)
  })

  it('fails with what ended its place', async () => {
    const place = new EchoPlace('hello')
    place.fault = new Error('the node is gone')
    await assert.rejects(runChat(place, INIT), /the node is gone/)
  })

  it('leaves when it is told to end', async () => {
    const place = new EchoPlace()
    const endless: ChatPlace = Object.assign(place, { input: silence(place.signal) })
    const running = runChat(endless, INIT)
    place.stop.abort()
    await running
    assert.ok(place.happened.includes('leave garden'))
  })
})

async function* silence(signal: AbortSignal): AsyncGenerator<Uint8Array> {
  await new Promise<void>((done) => {
    signal.addEventListener('abort', () => done(), { once: true })
  })
  yield new Uint8Array(0)
}
