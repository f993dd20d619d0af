import type { CID } from 'multiformats/cid'
import { ContentError } from './errors.ts'
import type { SessionReport } from './exchange.ts'

/** Why a search without result had none: the code names what the user can do about it. */
export function whyNotFound(cid: CID, report: SessionReport | undefined): ContentError {
  const name = cid.toString()
  if (report === undefined || (report.providersFound === 0 && report.hasRouting)) {
    return new ContentError('ERR_CONTENT_NO_PROVIDERS', `nobody in this network says that they have ${name}`)
  }
  if (!report.hasRouting) {
    return new ContentError('ERR_ROUTING_OFF', `no connected peer has ${name}, and content routing is off`)
  }
  if (report.peersUnreachable >= report.providersFound) {
    const count = `${report.providersFound} peer${report.providersFound === 1 ? ' has' : 's have'}`
    return new ContentError('ERR_PROVIDER_UNREACHABLE', `${count} ${name} and none can be reached now`)
  }
  return new ContentError('ERR_CONTENT_NOT_FOUND', `the peers that say they have ${name} did not give it`)
}
