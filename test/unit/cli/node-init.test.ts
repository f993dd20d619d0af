import assert from 'node:assert/strict'
import type { CliContext } from '../../../cli/context.ts'
import { readNodeInit } from '../../../cli/node-init.ts'

const DID = 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'
const SIGNED = 'bafyreidykglsfhoixmivffc5uwhcgshx4j465xwqntbmu43nb2dzqwfvae'
const FOLDER = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi'

async function guestOf(guest: string): Promise<string | undefined> {
  const context = { environment: {}, dataFolder: '/data' } as unknown as CliContext
  return (await readNodeInit({ args: {}, options: { guest } }, context)).guest
}

describe('the option --guest', () => {
  it('takes a did, or the CID of a signed block', async () => {
    for (const guest of [DID, SIGNED]) assert.equal(await guestOf(guest), guest)
  })

  it('takes nothing else', async () => {
    const mistyped = `${DID.slice(0, -1)}I`
    for (const guest of ['', 'alice', mistyped, `${SIGNED}a`, FOLDER, SIGNED.slice(0, -1), './guest']) {
      await assert.rejects(guestOf(guest), { code: 'ERR_USAGE' }, guest)
    }
  })
})
