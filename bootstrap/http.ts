import type { HttpLimits } from './constants.ts'

/** A request as far as a seed looks at it. It has no body: one that announces a body is refused. */
export interface HttpRequest {
  readonly method: string
  /** The target as it was sent, such as `/bootstrap`. */
  readonly target: string
  /** The `Host` header. */
  readonly host: string | undefined
}

/** The whole answer to a request. */
export interface HttpAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: string | Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

/** What {@link BootstrapPowers.listenHttp} listens with. */
export interface HttpListenInit {
  readonly host: string
  /** 0 for any free port. */
  readonly port: number
  readonly limits: HttpLimits
  /** Asked for each connection, with the addresses of those open. */
  readonly allow: (remoteAddress: string, open: Iterable<string>) => boolean
  /** Answers a request; one request a connection. */
  readonly answer: (request: HttpRequest) => HttpAnswer
}

/** A listening HTTP server. Disposing it closes every connection. */
export interface HttpListener extends AsyncDisposable {
  /** The port that is bound. */
  readonly port: number
}

/** What {@link BootstrapPowers.getHttp} asks for. */
export interface HttpGetInit {
  readonly url: string
  /** Most bytes of body that are read; more is an error. */
  readonly bytesMax: number
  readonly signal: AbortSignal
}

/** What came back; a redirect is an answer like any other and never followed. */
export interface HttpGot {
  readonly status: number
  readonly bytes: Uint8Array
}

/** Where seeds and those who ask them touch the network; `systemBootstrapPowers` is the real one. */
export interface BootstrapPowers {
  /** Starts an HTTP server; rejects with the system's error, such as `EADDRINUSE`. */
  listenHttp(init: HttpListenInit): Promise<HttpListener>
  /** One GET request on a connection of its own. */
  getHttp(init: HttpGetInit): Promise<HttpGot>
}
