import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { sha256 } from 'multiformats/hashes/sha2'
import { encodeCanonical, type Did } from '#did'
import { MAILBOX_DOMAIN } from '../constants.ts'
import type { MailboxOf } from './exchange.ts'

/** Before the address in the name of a device's mailbox, so that no address is one. */
const OF_DEVICE = 'device-'

/** Where a mailbox is: everybody who knows the device can work out that of a device. */
export function addressOf(of: MailboxOf): Uint8Array {
  return 'box' in of ? of.box : deviceAddress(of.device)
}

/** The name under which a keeper has a mailbox; those of devices are told apart from all others. */
export function nameOf(of: MailboxOf): string {
  const hex = Buffer.from(addressOf(of)).toString('hex')
  return 'box' in of ? hex : OF_DEVICE + hex
}

/** The address in a name that {@link nameOf} gave. */
export function addressIn(name: string): Uint8Array {
  return Buffer.from(name.startsWith(OF_DEVICE) ? name.slice(OF_DEVICE.length) : name, 'hex')
}

/** No block has this CID; whoever keeps something in the mailbox announces itself as its provider. */
export async function mailboxCid(address: Uint8Array): Promise<CID> {
  return CID.createV1(raw.code, await sha256.digest(encodeCanonical([MAILBOX_DOMAIN, 'keepers', address])))
}

function deviceAddress(device: Did): Uint8Array {
  return createHash('sha256')
    .update(encodeCanonical([MAILBOX_DOMAIN, 'device', device]))
    .digest()
}
