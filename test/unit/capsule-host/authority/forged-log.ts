import type { AuditEntry } from '#capsule-host'
import { decodeEntry, encodeEntry, hashOf } from '../../../../capsule-host/authority/entry-codec.ts'
import { openHead, sealHead } from '../../../../capsule-host/authority/journal.ts'
import { DEVICE } from './fixture.ts'

/** The log with one refused verdict made an allowed one, every later hash mended, and the head signed again by the device. */
export function forgeVerdict(original: ReadonlyMap<string, Uint8Array>): Map<string, Uint8Array> {
  const records = new Map(original)
  const keys = [...records.keys()].filter((key) => key.startsWith('entry/')).sort()
  let previous = '0'.repeat(64)
  let isForged = false
  for (const key of keys) {
    const entry = decodeEntry(records.get(key) ?? new Uint8Array())
    let changed: AuditEntry = { ...entry, previous }
    if (!isForged && changed.kind === 'verdict') {
      const { code: _code, ...verdict } = changed
      changed = {
        ...verdict,
        counts: verdict.counts.map(({ cid }) => ({ cid, used: 0 })),
        isAllowed: !changed.isAllowed
      }
      isForged = true
    }
    const bytes = encodeEntry(changed)
    previous = hashOf(bytes)
    records.set(key, bytes)
  }
  const head = openHead(DEVICE.did, records.get('head') ?? new Uint8Array())
  if (head === undefined) throw new Error('expected a signed head')
  records.set('head', sealHead(DEVICE, { ...head, hash: previous }))
  return records
}
