/** The first byte of a TLS connection: a record of its handshake (RFC 8446 § 5.1). */
export const TLS_FIRST_BYTE = 0x16

/** What both sides of a socket for bulk name in ALPN. */
export const BULK_ALPN = 'elastos-bulk/1'

/** AES-GCM is what processors have instructions for. */
export const BULK_CIPHERS = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256'

/** Bytes of a token: who opens a socket sends it first. */
export const TOKEN_BYTES = 32

/** What the side that expected a socket sends once it knows whose it is. */
export const ACCEPTED_BYTE = 1

/** How long a connection may take to send its first byte. */
export const FIRST_BYTE_TIMEOUT_MS = 10_000

/** Connections that have sent nothing yet; the oldest makes room for another. */
export const SILENT_CONNECTIONS_MAX = 512

/** How long a TLS handshake may take, the token included. */
export const HANDSHAKE_TIMEOUT_MS = 5_000

/** Sockets that are expected at the same time. */
export const EXPECTED_SOCKETS_MAX = 64

/** TLS handshakes that go on at the same time; more are refused. */
export const HANDSHAKES_MAX = 32

/** Bytes handed to a socket that it has not sent, beyond which the sender waits; and at which it goes on. */
export const SENDING_BYTES: { readonly max: number; readonly resume: number } = {
  max: 1024 * 1024,
  resume: 512 * 1024
}

/** Bytes of the memory that a socket is read into. */
export const READ_BYTES: number = 64 * 1024

/** How long a certificate says that it is valid; it lives no longer than the process. */
export const CERTIFICATE_VALID_MS: number = 366 * 24 * 60 * 60 * 1000
