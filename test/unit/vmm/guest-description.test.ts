import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { guestName, guestVersion, openGuest } from '#vmm'

interface Vector {
  readonly comment: string
  readonly text: string
  readonly name: string
  readonly version: string
  readonly code: string
}

const vectors = (file: string): Vector[] =>
  JSON.parse(
    readFileSync(join(import.meta.dirname, '..', '..', 'vectors', 'guest', file), 'utf8')
  ) as Vector[]

const filesWith = (text: string): Map<string, Uint8Array> =>
  new Map([
    ['kernel', Buffer.from('kernel')],
    ['initrd', Buffer.from('initrd')],
    ['guest.json', Buffer.from(text)]
  ])

describe('the description of a guest', () => {
  for (const { comment, text, name, version } of vectors('valid.json')) {
    it(`is read: ${comment}`, () => {
      const { description } = openGuest(filesWith(text))
      assert.deepEqual([guestName(description.arch), guestVersion(description)], [name, version])
      const other = description.arch === 'x86_64' ? 'aarch64' : 'x86_64'
      assert.throws(() => openGuest(filesWith(text), other), { code: 'ERR_VM_GUEST_INVALID' })
    })
  }

  for (const { comment, text, code } of vectors('invalid.json')) {
    it(`is refused: ${comment}`, () => assert.throws(() => openGuest(filesWith(text)), { code }))
  }

  it('is refused with a file too many, one missing, and text that is not UTF-8', () => {
    const text = vectors('valid.json')[0]?.text ?? ''
    const more = filesWith(text).set('capsule.json', Buffer.from('{}'))
    const fewer = filesWith(text)
    fewer.delete('initrd')
    const odd = filesWith(text).set('guest.json', Buffer.from([0xff, 0xfe]))
    for (const files of [more, fewer, odd])
      assert.throws(() => openGuest(files), { code: 'ERR_VM_GUEST_INVALID' })
  })
})
