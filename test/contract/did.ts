import assert from 'node:assert/strict'
import { peerIdFromDid, publicKeyFromDid } from '#did'
import type { Persona } from '#providers'
import type { Caller, ProviderLab } from '../support/provider-lab.ts'

/** What callers of the suite need. */
export const DID_CEILING = [{ command: 'did/*', resource: 'elastos://did/*' }] as const

const SOMEBODY = 'did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH'
const DATA = Buffer.from('a sentence to sign').toString('base64')

/** Every provider of `did@1` passes this. */
export function didContract(name: string, open: () => Promise<ProviderLab>): void {
  describe(`did@1: ${name}`, function () {
    this.timeout(120_000)
    let lab: ProviderLab
    let caller: Caller
    let personas: readonly Persona[]
    before(async () => {
      lab = await open()
      caller = lab.caller
      personas = (await caller.call('did/personas', {}))['personas'] as Persona[]
    })
    after(async () => {
      await lab[Symbol.asyncDispose]()
    })

    it('names at least one persona, each with a did of its own', () => {
      assert.ok(personas.length > 0)
      assert.equal(new Set(personas.map(({ did }) => did)).size, personas.length)
    })

    it('signs for each persona what verifies as its own, and as that of the capsule that asked', async () => {
      for (const { did } of personas) {
        const signed = await caller.call('did/sign', { did, data: DATA })
        assert.equal(signed['did'], did)
        const { envelope } = signed
        const verified = await lab.other.call('did/verify', { did, envelope })
        assert.deepEqual(verified, { isValid: true, lineage: caller.lineage, data: DATA })
      }
    })

    it('does not verify what somebody else signed, what was changed, or what is nothing', async () => {
      const { did } = personas[0]!
      const { envelope } = await caller.call('did/sign', { did, data: DATA })
      assert.deepEqual(await caller.call('did/verify', { did: SOMEBODY, envelope }), { isValid: false })
      const bytes = Buffer.from(String(envelope), 'base64')
      for (const at of [0, bytes.length >> 1, bytes.length - 1]) {
        const changed = Buffer.from(bytes)
        changed[at]! ^= 1
        const answer = await caller.call('did/verify', { did, envelope: changed.toString('base64') })
        assert.deepEqual(answer, { isValid: false })
      }
      assert.deepEqual(await caller.call('did/verify', { did, envelope: '' }), { isValid: false })
    })

    it("signs as nobody but the user's own", async () => {
      await assert.rejects(caller.call('did/sign', { did: SOMEBODY, data: DATA }), {
        code: 'ERR_PERSONA_UNKNOWN'
      })
    })

    it('resolves a did to what it says, and refuses what is none', async () => {
      const publicKey = Buffer.from(publicKeyFromDid(SOMEBODY)).toString('base64')
      assert.deepEqual(await caller.call('did/resolve', { did: SOMEBODY }), {
        did: SOMEBODY,
        publicKey,
        peerId: peerIdFromDid(SOMEBODY)
      })
      const broken = `${SOMEBODY.slice(0, -1)}1`
      await assert.rejects(caller.call('did/resolve', { did: `${broken}111` }), { code: 'ERR_DID_INVALID' })
    })
  })
}
