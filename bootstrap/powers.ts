import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse
} from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import type {
  BootstrapPowers,
  HttpAnswer,
  HttpGetInit,
  HttpGot,
  HttpListener,
  HttpListenInit
} from './http.ts'

async function listenHttp(init: HttpListenInit): Promise<HttpListener> {
  const { limits } = init
  const server = createServer(
    {
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.headersTimeoutMs,
      // How often the two above are looked at; the default of 30 s would let a slow sender sit that long.
      connectionsCheckingInterval: 1000,
      maxHeaderSize: limits.headerBytesMax,
      keepAlive: false,
      insecureHTTPParser: false,
      requireHostHeader: true
    },
    (request, response) => {
      respond(request, response, init.answer)
    }
  )
  server.maxConnections = limits.connectionsMax
  server.maxHeadersCount = limits.headersMax
  server.maxRequestsPerSocket = 1
  server.timeout = limits.idleTimeoutMs
  admit(server, init.allow)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: init.host, port: init.port, exclusive: true }, () => {
      server.off('error', reject)
      resolve()
    })
  })
  // An error of accept() later on, such as too many open files, ends one connection and not the process.
  server.on('error', () => undefined)
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : init.port,
    [Symbol.asyncDispose]: () => closeServer(server)
  }
}

function admit(server: Server, allow: HttpListenInit['allow']): void {
  const open = new Map<Socket, string>()
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress
    if (address === undefined || !allow(address, open.values())) {
      socket.destroy()
      return
    }
    open.set(socket, address)
    socket.once('close', () => open.delete(socket))
  })
  server.on('clientError', (_error, socket) => {
    if (!socket.writable) socket.destroy()
    else
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', () =>
        socket.destroy()
      )
  })
}

function respond(request: IncomingMessage, response: ServerResponse, answer: HttpListenInit['answer']): void {
  const { status, contentType, body, headers } = answerTo(request, answer)
  const bytes = Buffer.from(body)
  response.writeHead(status, {
    ...headers,
    'Content-Type': contentType,
    'Content-Length': String(bytes.length),
    'X-Content-Type-Options': 'nosniff',
    Connection: 'close'
  })
  response.end(request.method === 'HEAD' ? undefined : bytes)
  // Whatever else the peer sends is not read.
  response.once('finish', () => {
    request.socket.destroySoon()
  })
}

function answerTo(request: IncomingMessage, answer: HttpListenInit['answer']): HttpAnswer {
  const { headers, method = '', url = '' } = request
  const hasBody = headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
  if (hasBody)
    return { status: 413, contentType: 'text/plain; charset=utf-8', body: 'no request here has a body\n' }
  return answer({ method, target: url, host: headers.host })
}

async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => {
      resolve()
    })
    server.closeAllConnections()
  })
}

async function getHttp({ url, bytesMax, signal }: HttpGetInit): Promise<HttpGot> {
  const request = url.startsWith('https:') ? httpsRequest : httpRequest
  return await new Promise<HttpGot>((resolve, reject) => {
    const asked = request(
      url,
      {
        agent: false,
        signal,
        maxHeaderSize: 8192,
        headers: { Accept: '*/*', 'Accept-Encoding': 'identity' }
      },
      (response) => {
        readBody(response, bytesMax).then(
          (bytes) => {
            resolve({ status: response.statusCode ?? 0, bytes })
            asked.destroy()
          },
          (thrown: unknown) => {
            asked.destroy()
            reject(thrown instanceof Error ? thrown : new Error(String(thrown)))
          }
        )
      }
    )
    asked.once('error', reject)
    asked.end()
  })
}

async function readBody(response: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > bytesMax) throw Object.assign(new Error('answer too large'), { code: 'ANSWER_TOO_LARGE' })
    chunks.push(chunk)
  }
  return Uint8Array.from(Buffer.concat(chunks))
}

/** The operating system's network, through node:http. */
export const systemBootstrapPowers: BootstrapPowers = { listenHttp, getHttp }
