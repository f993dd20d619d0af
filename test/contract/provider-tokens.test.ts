import assert from 'node:assert/strict'
import { CONTRACTS, requestedAccess } from '#providers'
import type { ProviderRequest } from '../../capsule-host/broker/provider.ts'
import { BARE_SESSION, openBrokerLab, type BrokerLab, type FakeCapsule } from '../support/capsule-broker.ts'

interface Command {
  readonly name: string
  readonly reference: string
  readonly kind: 'call' | 'stream'
  readonly example: object
  readonly resource: string
  readonly isHostOnly: boolean
}

/** Every command of every contract there is. */
const COMMANDS: readonly Command[] = [...CONTRACTS].flatMap(([reference, contract]) =>
  Object.entries(contract.commands).map(([verb, { kind, example }]) => {
    const name = `${contract.name}/${verb}`
    const access = requestedAccess(name, example)
    assert(access !== undefined, `expected an example of ${name} that keeps to its schema`)
    const isHostOnly = contract.isHostOnly === true
    return { name, reference, kind, example, resource: access.resource, isHostOnly }
  })
)
const EVERYTHING = ['localhost://*', 'elastos://*', 'https://*'].map((resource) => ({ resource }))

describe('a token for a command', () => {
  let lab: BrokerLab
  let asked: ProviderRequest[]
  let capsule: FakeCapsule

  const grant = async (command: string, resource: string): Promise<void> => {
    const { lineage } = BARE_SESSION
    await lab.authority.grant({ lineage, command, resource, scope: 'always', decidedBy: 'person' })
  }
  const use = async ({ name, kind, example }: Command): Promise<void> => {
    const method = kind === 'call' ? 'provider.call' : 'provider.open'
    const credit = kind === 'call' ? {} : { credit: 1 }
    await capsule.request(method, { command: name, params: example, ...credit })
    await lab.clock.settle()
  }

  const isAllowed = ({ name, resource }: Command): boolean =>
    lab.authority.peek({
      ...{ lineage: BARE_SESSION.lineage, sessionId: capsule.id, command: name, resource },
      ceiling: EVERYTHING.map((all) => ({ command: name, resource: all.resource }))
    }).isAllowed

  beforeEach(async () => {
    lab = await openBrokerLab()
    asked = []
    for (const reference of CONTRACTS.keys()) {
      lab.providers.set(reference, {
        call: async (request) => {
          asked.push(request)
          throw Object.assign(new Error('that far'), { code: 'ERR_THAT_FAR' })
        },
        open: async function* (request) {
          asked.push(request)
          yield* []
        }
      })
    }
    capsule = await lab.start({
      // A manifest that lists everything: what refuses is the token, not the ceiling.
      ceiling: COMMANDS.flatMap(({ name }) =>
        EVERYTHING.map(({ resource }) => ({ command: name, resource }))
      ),
      requires: [...CONTRACTS.keys()].map((contract) => ({ contract }))
    })
  })
  afterEach(async () => {
    await lab[Symbol.asyncDispose]()
  })

  for (const command of COMMANDS) {
    if (command.isHostOnly) {
      it(`opens ${command.name} to no capsule at all`, async () => {
        await grant(command.name, command.resource)
        await assert.rejects(use(command), { code: 'ERR_PROVIDER_COMMAND' })
        assert.deepEqual(asked, [])
      })
      continue
    }
    it(`other than ${command.name} does not do it, whatever its resource`, async () => {
      for (const other of COMMANDS) {
        if (other.name === command.name) continue
        await grant(other.name, command.resource)
        assert.equal(isAllowed(command), false, `${other.name} let ${command.name} through`)
      }
      await assert.rejects(use(command), { code: 'ERR_CAPABILITY_MISSING' })
      assert.deepEqual(asked, [])
      await grant(command.name, command.resource)
      assert(isAllowed(command))
      await use(command).catch((thrown: unknown) => {
        assert.equal((thrown as { code: string }).code, 'ERR_PROVIDER_FAILED')
      })
      assert.deepEqual(
        asked.map(({ command: name, resource }) => [name, resource]),
        [[command.name, command.resource]]
      )
    })
  }
})
