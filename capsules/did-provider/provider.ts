import type { DidCommands, DidDocument, DidSignature, DidVerified, Personas } from '#providers'
import type { Handlers } from '#sdk'

/**
 * The contract `did@1` over the host's power `sign`. Keys stay in the host, which binds into everything it signs for whom it
 * was signed: neither this capsule nor its callers can have anything signed that says otherwise.
 */
export function createDidProvider(): Handlers<DidCommands> {
  return {
    sign: async (params, request) => (await request.power('sign/sign', params)) as DidSignature,
    verify: async (params, request) => (await request.power('sign/verify', params)) as DidVerified,
    resolve: async (params, request) => (await request.power('sign/resolve', params)) as DidDocument,
    personas: async (params, request) => (await request.power('sign/personas', params)) as Personas
  }
}
