import assert from 'node:assert/strict'
import { createVmChannel, encodeVmFrame, VM_FRAME, type VmChannel } from '#vmm'
import { encodeCredit, VmFrameDecoder } from '../../../vmm/channel/frames.ts'

const WINDOW = 262_144
const STREAM = { stdin: 1, stdout: 2, stderr: 3, channel: 4 } as const

interface Sent {
  readonly type: number
  readonly stream: number
  readonly payload: Buffer
}

function connect(): { channel: VmChannel; sent: Sent[]; messages: number[] } {
  const sent: Sent[] = []
  const messages: number[] = []
  const decoder = new VmFrameDecoder()
  const channel = createVmChannel({
    send: (bytes) =>
      decoder.push(bytes, ({ type, stream, payload }) =>
        sent.push({ type, stream, payload: Buffer.from(payload) })
      ),
    take: ({ type }) => messages.push(type)
  })
  return { channel, sent, messages }
}

const data = (stream: number, bytes: number): Uint8Array => {
  return Buffer.concat(
    Array.from({ length: Math.ceil(bytes / 65_536) }, (_, index) =>
      encodeVmFrame(
        VM_FRAME.data,
        stream,
        new Uint8Array(Math.min(65_536, bytes - index * 65_536)).fill(index)
      )
    )
  )
}
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('a machine’s channel', () => {
  it('sends nothing before the guest has its streams, then in order', async () => {
    const { channel, sent } = connect()
    const written = channel.stdin.write(Buffer.from('one'))
    void channel.stdin.write(Buffer.from('two'))
    channel.stdin.end()
    await settled()
    assert.equal(sent.length, 0)
    channel.open()
    await written
    await settled()
    assert.deepEqual(
      sent.map(({ type, stream, payload }) => [type, stream, payload.toString()]),
      [
        [VM_FRAME.data, STREAM.stdin, 'one'],
        [VM_FRAME.data, STREAM.stdin, 'two'],
        [VM_FRAME.end, STREAM.stdin, '']
      ]
    )
  })

  it('sends no more of a stream than the guest allowed, and goes on with others', async () => {
    const { channel, sent } = connect()
    channel.open()
    let isDone = false
    const written = channel.stdin.write(new Uint8Array(WINDOW + 10)).then(() => (isDone = true))
    await settled()
    const sentBytes = (stream: number): number =>
      sent
        .filter((frame) => frame.stream === stream)
        .reduce((sum, { payload }) => sum + payload.byteLength, 0)
    assert.equal(sentBytes(STREAM.stdin), WINDOW)
    assert.equal(isDone, false)
    await channel.channel.write(Buffer.from('{}\n'))
    assert.equal(sentBytes(STREAM.channel), 3)
    channel.push(encodeCredit(STREAM.stdin, 4))
    await settled()
    assert.equal(sentBytes(STREAM.stdin), WINDOW + 4)
    channel.push(encodeCredit(STREAM.stdin, 100))
    await written
    assert.equal(sentBytes(STREAM.stdin), WINDOW + 10)
  })

  it('allows the guest more only as what came is read', async () => {
    const { channel, sent } = connect()
    channel.open()
    channel.push(data(STREAM.stdout, WINDOW))
    await settled()
    assert.equal(sent.length, 0)
    let read = 0
    for await (const chunk of channel.stdout.incoming) {
      read += chunk.byteLength
      if (read === WINDOW) channel.push(encodeVmFrame(VM_FRAME.end, STREAM.stdout))
    }
    assert.equal(read, WINDOW)
    const credits = sent.filter(({ type }) => type === VM_FRAME.credit)
    assert.ok(credits.length > 0)
    assert.ok(credits.reduce((sum, { payload }) => sum + payload.readUInt32LE(0), 0) <= WINDOW)
  })

  it('hands over what came before the guest went, and then ends', async () => {
    const { channel } = connect()
    channel.push(encodeVmFrame(VM_FRAME.data, STREAM.stderr, Buffer.from('last words')))
    channel.close()
    assert.equal(Buffer.concat(await Array.fromAsync(channel.stderr.incoming)).toString(), 'last words')
    await assert.rejects(channel.stdin.write(Buffer.from('x')), { code: 'ERR_VM_STOPPED' })
  })

  it('ends a write to a program that reads no more', async () => {
    const { channel } = connect()
    channel.open()
    const written = channel.stdin.write(new Uint8Array(WINDOW * 2))
    await settled()
    channel.push(encodeVmFrame(VM_FRAME.close, STREAM.stdin))
    await assert.rejects(written, { code: 'ERR_VM_STOPPED' })
  })

  it('hands over what belongs to no stream', () => {
    const { channel, messages } = connect()
    channel.push(encodeVmFrame(VM_FRAME.hello, 0, Uint8Array.of(1)))
    assert.deepEqual(messages, [VM_FRAME.hello])
  })

  const hostile: Readonly<Record<string, readonly Uint8Array[]>> = {
    'a byte more than was allowed': [data(STREAM.stdout, WINDOW), data(STREAM.stdout, 1)],
    'data without a byte': [encodeVmFrame(VM_FRAME.data, STREAM.stdout)],
    'data of what only the host writes': [data(STREAM.stdin, 1)],
    'data after its end': [encodeVmFrame(VM_FRAME.end, STREAM.stdout), data(STREAM.stdout, 1)],
    'a second end': [encodeVmFrame(VM_FRAME.end, STREAM.stdout), encodeVmFrame(VM_FRAME.end, STREAM.stdout)],
    'a second close': [
      encodeVmFrame(VM_FRAME.close, STREAM.channel),
      encodeVmFrame(VM_FRAME.close, STREAM.channel)
    ],
    'a close of what it writes itself': [encodeVmFrame(VM_FRAME.close, STREAM.stdout)],
    'an end with a payload': [encodeVmFrame(VM_FRAME.end, STREAM.stdout, Uint8Array.of(1))],
    'credit for what was never sent': [encodeCredit(STREAM.stdin, 1)],
    'credit of 4 GiB': [encodeCredit(STREAM.channel, 0xffff_ffff)],
    'credit of nothing': [encodeCredit(STREAM.channel, 0)],
    'credit of three bytes': [encodeVmFrame(VM_FRAME.credit, STREAM.channel, new Uint8Array(3))],
    'credit for what it writes itself': [encodeCredit(STREAM.stdout, 1)],
    'a stream there is not': [data(5, 1)],
    'data of no stream': [data(0, 1)],
    'a message of a stream': [encodeVmFrame(VM_FRAME.exit, STREAM.stdout, Uint8Array.of(0, 0))],
    'a kind of frame there is not': [encodeVmFrame(99 as 32, STREAM.stdout)]
  }
  for (const [name, frames] of Object.entries(hostile)) {
    it(`refuses a guest that sends ${name}`, () => {
      const { channel } = connect()
      channel.open()
      assert.throws(() => frames.forEach((frame) => channel.push(frame)), { code: 'ERR_VM_CHANNEL' })
    })
  }
})
