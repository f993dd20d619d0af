import assert from 'node:assert/strict'
import { linesOfModeration } from '../../../cli/commands/room-moderate.ts'

const LIST = { isOwn: false, isFollowed: false, appointed: [], muted: [], removed: [] }
const expiresAtMs = Date.UTC(2030, 0, 2, 3, 4)

describe('the lists of moderators of a room', () => {
  it('are shown with all that is on them, and until when', () => {
    const lists = [
      { ...LIST, author: 'did:ann', isOwn: true, expiresAtMs, appointed: ['did:cem'] },
      {
        ...{ ...LIST, author: 'did:ben', isFollowed: true, expiresAtMs, removed: ['did:eve:7'] },
        muted: [{ did: 'did:dan' }, { did: 'did:eve', untilMs: expiresAtMs }]
      },
      { ...LIST, author: 'did:cem', expiresAtMs }
    ]
    const lines = linesOfModeration({ followed: ['did:ben', 'did:fay'], lists })
    const shown = lines.map((line) => line.replaceAll(/2030-\S+ ?\S*/g, 'THEN').trim())
    assert.deepEqual(shown, [
      'did:ann  yours, holds until THEN',
      'appointed  did:cem',
      'did:ben  followed, holds until THEN',
      'muted      did:dan',
      'muted      did:eve  until THEN',
      'removed    did:eve:7',
      'did:cem  appointed, holds until THEN',
      'did:fay  followed, no list heard yet'
    ])
  })

  it('are none where nobody is followed', () => {
    assert.deepEqual(linesOfModeration({ followed: [], lists: [] }), [
      'nobody is followed here, and nothing is hidden'
    ])
  })
})
