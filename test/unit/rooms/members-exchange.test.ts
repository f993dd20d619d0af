import assert from 'node:assert/strict'
import { encodeCanonical } from '#did'
import { MEMBERS_ANSWER_BYTES_MAX, MEMBERS_REQUEST_BYTES_MAX } from '../../../rooms/constants.ts'
import {
  decodeMembersAnswer,
  decodeMembersRequest,
  encodeMembersAnswer,
  encodeMembersRequest
} from '../../../rooms/members-exchange.ts'

const entry = { presence: Uint8Array.of(1, 2), addresses: ['/ip4/127.0.0.1/tcp/1/p2p/12D3KooW'] }
const request = { topic: '/elastos/room/1/x', ...entry }
const answer = { nowMs: 5, sequenceSeen: 7, members: [entry] }
const malformed = { code: 'ERR_MESSAGE_MALFORMED' }

describe('the members exchange', () => {
  it('reads what it writes', () => {
    assert.deepEqual(decodeMembersRequest(encodeMembersRequest(request)), request)
    assert.deepEqual(decodeMembersAnswer(encodeMembersAnswer(answer)), answer)
  })

  it('writes no more than a reader takes', () => {
    const big = {
      presence: new Uint8Array(6_000),
      addresses: Array.from({ length: 20 }, () => `/${'a'.repeat(250)}`)
    }
    const bytes = encodeMembersAnswer({ ...answer, members: Array.from({ length: 200 }, () => big) })
    assert.ok(bytes.length <= MEMBERS_ANSWER_BYTES_MAX)
    const { members } = decodeMembersAnswer(bytes)
    assert.ok(members.length > 10 && members.every(({ addresses }) => addresses.length === 6))
    assert.ok(encodeMembersRequest({ ...request, ...big }).length <= MEMBERS_REQUEST_BYTES_MAX)
  })

  it('leaves out addresses that are none', () => {
    const odd = ['not one', '/has space', '/\u001b[2J', `/${'a'.repeat(300)}`, '/ip4/1.2.3.4/tcp/1']
    assert.deepEqual(decodeMembersRequest(encodeMembersRequest({ ...request, addresses: odd })).addresses, [
      '/ip4/1.2.3.4/tcp/1'
    ])
  })

  it('refuses anything else', () => {
    const good = { version: 1, topic: 't', ...entry }
    const requests = [
      { ...good, version: 2 },
      { ...good, more: 1 },
      { ...good, topic: 1 },
      { ...good, presence: 'x' },
      { ...good, presence: new Uint8Array(6_529) },
      { ...good, addresses: ['x'] },
      { ...good, addresses: Array.from({ length: 7 }, () => '/a') },
      ['x'],
      null
    ]
    for (const value of requests) {
      assert.throws(() => decodeMembersRequest(encodeCanonical(value)), malformed, JSON.stringify(value))
    }
    const whole = { version: 1, ...answer }
    const answers = [
      { ...whole, nowMs: -1 },
      { ...whole, sequenceSeen: 'x' },
      { ...whole, members: {} },
      { ...whole, members: [1] },
      { ...whole, members: Array.from({ length: 65 }, () => entry) }
    ]
    for (const value of answers) {
      assert.throws(() => decodeMembersAnswer(encodeCanonical(value)), malformed, JSON.stringify(value))
    }
    assert.throws(() => decodeMembersRequest(new Uint8Array(MEMBERS_REQUEST_BYTES_MAX + 1)), {
      code: 'ERR_MESSAGE_TOO_LARGE'
    })
    assert.throws(() => decodeMembersAnswer(new Uint8Array(MEMBERS_ANSWER_BYTES_MAX + 1)), {
      code: 'ERR_MESSAGE_TOO_LARGE'
    })
  })
})
