import assert from 'node:assert/strict'
import { createMemoryAuthorityStore } from '#capsule-host'
import { parseDid } from '#did'
import { decodeEntry, encodeEntry } from '../../../../capsule-host/authority/entry-codec.ts'
import { walkLog } from '../../../../capsule-host/authority/walk-log.ts'
import invalid from '../../../vectors/audit-log/invalid.json' with { type: 'json' }
import valid from '../../../vectors/audit-log/valid.json' with { type: 'json' }
import { openFixture } from './fixture.ts'

function recordsOf(hex: Readonly<Record<string, string | undefined>>): Map<string, Uint8Array> {
  const records = new Map<string, Uint8Array>()
  for (const [key, value] of Object.entries(hex)) records.set(key, Buffer.from(value ?? '', 'hex'))
  return records
}

describe('audit log: vectors', () => {
  for (const { comment, device, entries, first, last, head, records } of valid) {
    it(`reads ${comment}, and writes every entry as it was`, async () => {
      const store = createMemoryAuthorityStore(recordsOf(records))
      const report = await walkLog({ store, device: parseDid(device), visit: () => undefined })
      assert.equal(report.problem, undefined)
      assert.deepEqual(
        [report.entries, report.first, report.last, report.head?.hash],
        [entries, first, last, head]
      )
      for (const [key, bytes] of recordsOf(records)) {
        if (!key.startsWith('entry/')) continue
        assert.deepEqual(Buffer.from(encodeEntry(decodeEntry(bytes))), Buffer.from(bytes))
      }
    })

    it(`derives every verdict of ${comment} again`, async () => {
      await using fixture = await openFixture({ records: recordsOf(records) })
      const report = await fixture.authority.audit.replay()
      assert.equal(report.agrees, true, JSON.stringify(report))
      assert.ok(report.verdicts > 0)
    })
  }

  for (const { comment, device, code, number, remove, put } of invalid) {
    it(`finds ${comment}`, async () => {
      const records = recordsOf({ ...valid[0]?.records, ...put })
      for (const key of remove) records.delete(key)
      const store = createMemoryAuthorityStore(records)
      const { problem } = await walkLog({ store, device: parseDid(device), visit: () => undefined })
      assert.deepEqual([problem?.code, problem?.number], [code, number])
    })
  }
})
