import assert from 'node:assert/strict'
import { parseCapsuleTarget } from '../../../node/capsule-target.ts'

const DID = 'did:key:z6MkmJDN45ec5MsYmdHTRV5YExnQkeGrhwHhXHf6tmCMAGfz'
const CID = 'bafyreigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi'

describe('what capsule run is asked for', () => {
  it('is a folder, a CID, a name of a did or of a contact', () => {
    assert.deepEqual(parseCapsuleTarget('/home/me/hello'), { kind: 'folder', folder: '/home/me/hello' })
    const cid = parseCapsuleTarget(CID)
    assert.equal(cid.kind === 'cid' && cid.cid.toString(), CID)
    assert.deepEqual(parseCapsuleTarget(`${DID}/hello`), { kind: 'did', did: DID, name: 'hello' })
    assert.deepEqual(parseCapsuleTarget('alice/hello'), { kind: 'petname', petname: 'alice', name: 'hello' })
  })

  for (const [text, code] of [
    ['alice/', 'ERR_TARGET_INVALID'],
    ['alice/../x', 'ERR_TARGET_INVALID'],
    ['alice/Hello World', 'ERR_TARGET_INVALID'],
    [`${CID}/hello/more`, 'ERR_TARGET_INVALID'],
    ['did:key:zNone/hello', 'ERR_DID_INVALID'],
    ['did:web:example.org/hello', 'ERR_DID_INVALID'],
    ['nothing', 'ERR_TARGET_INVALID'],
    ['NOTHING', 'ERR_CID_INVALID']
  ] as const) {
    it(`refuses ${text} with ${code}`, () => {
      assert.throws(() => parseCapsuleTarget(text), { code })
    })
  }
})
