import { createKeyPair } from '#did'
import type { ProviderRequest } from '../../capsule-host/broker/provider.ts'
import { createSeededRandom } from './seeded-random.ts'

const AUDIENCE = createKeyPair(createSeededRandom(41)).did

/** A request as the broker hands it to a power, once it was allowed. */
export function powerRequest(
  command: string,
  params: object,
  more: Partial<ProviderRequest> = {}
): ProviderRequest {
  return {
    caller: { lineage: 'did:key:z6MkAuthor/notes', name: 'notes', version: '1.0.0', audience: AUDIENCE },
    sessionId: 'session',
    sessionSignal: new AbortController().signal,
    subject: AUDIENCE,
    command,
    resource: 'unused',
    params,
    signal: new AbortController().signal,
    ...more
  }
}

/** The items of a stream, and the code it ended with. */
export async function drained(
  items: AsyncIterable<unknown>
): Promise<{ items: unknown[]; code: string | undefined }> {
  const taken: unknown[] = []
  try {
    for await (const item of items) taken.push(item)
    return { items: taken, code: undefined }
  } catch (thrown) {
    return { items: taken, code: (thrown as { code?: string }).code ?? String(thrown) }
  }
}
