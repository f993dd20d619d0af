import { parseDid } from '#did'
import { NodeError } from '../errors.ts'
import type { ElastosNode } from '../types.ts'
import type { HandlersOf } from './handlers.ts'

/** Names for commands: a did or IPNS name, `DID/KIND/NAME`, or `PETNAME/KIND/NAME`. */
export function createNameHandlers({
  host,
  index,
  contacts
}: Pick<ElastosNode, 'host' | 'index' | 'contacts'>): HandlersOf<'name.resolve'> {
  return {
    'name.resolve': async ({ name }, { signal }) => {
      const [publisher = '', kind, entry, ...rest] = name.replace(/^\/ipns\//, '').split('/')
      if (kind === undefined) {
        const resolved = await host.names.resolve(publisher, { signal })
        const { value, sequence, validUntilMs } = resolved
        return { cid: value.toString(), sequence: sequence.toString(), validUntilMs }
      }
      if (entry === undefined || rest.length > 0) {
        throw new NodeError('ERR_TARGET_INVALID', 'expected a did, an IPNS name, or DID/KIND/NAME')
      }
      const did = publisher.startsWith('did:') ? parseDid(publisher) : contacts.didOf(publisher)
      const { head, sequence } = await index.lookup(did, { kind, name: entry, signal })
      return { cid: head.toString(), sequence: String(sequence) }
    }
  }
}
