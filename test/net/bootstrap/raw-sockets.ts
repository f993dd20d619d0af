import { connect, type Server, type Socket } from 'node:net'

/** Resolves when the socket is closed, cleanly or not. */
export function closeOf(socket: Socket): Promise<void> {
  socket.on('error', () => undefined)
  return new Promise((resolve) => {
    socket.once('close', () => {
      resolve()
    })
  })
}

/** What the peer sends until it closes, after `bytes` were sent to it. */
export async function talk(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const end = closeOf(socket)
  socket.write(bytes)
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await end
  return Buffer.concat(chunks).toString()
}

/** Resolves when the server listens no more. */
export async function closed(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve))
}
