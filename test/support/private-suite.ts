import type { Random } from '#contracts'
import { certifyDevice, createKeyPair, type KeyPair } from '#did'
import { createSuite, type Suite } from '../../rooms/private/suite.ts'

/** A device of a person, and what its private rooms work with. */
export interface PrivateSuite {
  readonly person: KeyPair
  readonly signer: KeyPair
  readonly certificate: Uint8Array
  readonly suite: Suite
}

/** A new device of a new person, which nobody is banned for. */
export async function createPrivateSuite(random: Random): Promise<PrivateSuite> {
  const [person, signer] = [createKeyPair(random), createKeyPair(random)]
  const certificate = certifyDevice(person, { device: signer.did, issuedAtMs: 1 })
  const suite = await createSuite({ signer, certificate, random, isAllowed: () => true })
  return { person, signer, certificate, suite }
}
