import { noise } from '@chainsafe/libp2p-noise'
import type { ConnectionEncrypter, SecuredConnection } from '@libp2p/interface'
import type { NoiseExtensions } from '@chainsafe/libp2p-noise'

/** What an encrypted connection of noise has beyond its declared interface. */
interface Encrypting {
  encrypt?: (chunk: unknown) => { subarray(): Uint8Array }
}

type Secured = SecuredConnection<NoiseExtensions>

/**
 * noise whose frames are written in one piece. It hands over the length of a frame and what is in it apart, and the TCP
 * transport writes each to the socket at once: two calls of the system and two packets for each message.
 */
export function joinedNoise(): ReturnType<typeof noise> {
  const create = noise()
  return (components) => {
    const encrypter = create(components)
    const { secureInbound, secureOutbound } = encrypter
    const joined: Pick<ConnectionEncrypter<NoiseExtensions>, 'secureInbound' | 'secureOutbound'> = {
      secureInbound: async (...given) => join(await secureInbound.apply(encrypter, given)),
      secureOutbound: async (...given) => join(await secureOutbound.apply(encrypter, given))
    }
    return Object.assign(encrypter, joined)
  }
}

function join(secured: Secured): Secured {
  const connection = secured.connection as Encrypting
  const encrypt = connection.encrypt?.bind(connection)
  if (encrypt === undefined) return secured
  connection.encrypt = (chunk) => encrypt(chunk).subarray()
  return secured
}
