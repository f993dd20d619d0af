import assert from 'node:assert/strict'
import { runCrowd, type CrowdReport } from '../../support/capsule-crowd.ts'
import { needs } from '../../support/requirements.ts'

// The whole of it, a hundred capsules, is `npm run test:long -- capsule-crowd`; its times are `npm run bench -- capsule-crowd`.
describe('capsules that spin, flood and answer beside each other', () => {
  let report: CrowdReport

  before(async function () {
    this.timeout(300_000)
    await needs(this, 'bubblewrap', 'prlimit')
    report = await runCrowd({ spinning: 3, flooding: 3, answering: 6, durationMs: 5000 })
  })

  it('red team: each that is asked answers every call, in order', () => {
    assert.equal(report.answered.length, 6)
    assert.deepEqual(report.answered, report.asked)
    assert(report.asked.every((count) => count >= 2))
    assert.equal(report.misplaced, 0)
  })

  it('red team: the node answers whoever asks for its status', () => {
    assert(report.statusMs.count > 0)
  })

  it('red team: those that flood share what there is, and none is starved', () => {
    const [least, most] = [Math.min(...report.floodedBytes), Math.max(...report.floodedBytes)]
    assert(least > 0, report.floodedBytes.join())
    assert(most < least * 20, report.floodedBytes.join())
  })

  it('red team: none ends because of another', () => {
    assert.deepEqual(report.ended, {})
  })
})
