import assert from 'node:assert/strict'
import type { CapsuleStreams, VerifiedPackage } from '../../../node/capsules.ts'
import { machineOf } from '../../../node/machine-of.ts'
import type { MachineRequest } from '../../../node/machines.ts'

const STRANGER = 'did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH'

interface Case {
  readonly lineage: string
  readonly isOwn?: boolean
  readonly allowsEmulated?: boolean
}

/** Whether the machine that a module asks for may be an emulated one. */
async function mayBeEmulated({ lineage, isOwn = false, allowsEmulated = false }: Case): Promise<boolean> {
  const requests: MachineRequest[] = []
  const parts = {
    machines: {
      start: async (request: MachineRequest) => {
        requests.push(request)
        return await Promise.resolve({} as never)
      }
    } as never,
    moduleRuntime: async () =>
      await Promise.resolve({
        runtime: { program: () => ['node'], environment: {}, memoryBytes: 0 } as never,
        image: '/image'
      })
  }
  const opened = { manifest: { substrate: 'wasm', limits: {} } } as VerifiedPackage['opened']
  const capsule: VerifiedPackage = { status: {} as never, lineage, opened, isOwn }
  const { signal } = new AbortController()
  const streams: Partial<CapsuleStreams> = { substrate: 'microvm', allowsEmulated, signal }
  const held = await machineOf(parts, capsule, streams as CapsuleStreams)
  assert.equal(held?.runs, 'module')
  const [request] = requests
  assert.ok(request)
  return request.mayBeEmulated
}

describe('the machine of a capsule', () => {
  it('may be emulated for what is no stranger’s: one’s own, and what came with the release', async () => {
    assert.equal(await mayBeEmulated({ lineage: `${STRANGER}/hello`, isOwn: true }), true)
    assert.equal(await mayBeEmulated({ lineage: 'shipped/chat' }), true)
  })

  it('may not be for a stranger’s, whatever it is called, unless its user says so', async () => {
    for (const lineage of [`${STRANGER}/hello`, `${STRANGER}/shipped/chat`, 'Shipped/chat']) {
      assert.equal(await mayBeEmulated({ lineage }), false)
      assert.equal(await mayBeEmulated({ lineage, allowsEmulated: true }), true)
    }
  })
})
