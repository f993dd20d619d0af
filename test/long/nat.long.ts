import assert from 'node:assert/strict'
import type { LongTest } from '../../scripts/test-long.ts'
import { mayBeDirect, proveNatPair } from '../net/nat/nat-pair.ts'
import { createCliHome } from '../support/cli.ts'
import { NAT_KINDS, type NatKind } from '../support/nat-lab.ts'
import { isMet } from '../support/requirements.ts'

interface State {
  /** How many pairs are proven. */
  readonly pairs: number
  readonly direct: number
}

const PAIRS: readonly (readonly [NatKind, NatKind])[] = NAT_KINDS.flatMap((a) =>
  NAT_KINDS.map((b) => [a, b] as const)
)

/** Every ordered pair of NATs: the first connects to the second, fetches a file of it and talks with it. */
export const longTest: LongTest<State> = {
  begin: () => ({ pairs: 0, direct: 0 }),
  slice: async ({ pairs, direct }) => {
    assert.ok((await isMet('namespaces')) && (await isMet('nft')), 'expected namespaces and nftables')
    const pair = PAIRS[pairs] ?? ['open', 'open']
    await using home = await createCliHome()
    const { isDirect, connectMs, fetchMs } = await proveNatPair(home, pair)
    assert.equal(isDirect, mayBeDirect(...pair), pair.join(' to '))
    const way = isDirect ? 'direct' : 'over the relay'
    const note = `${pair.join(' to ')}: connected in ${connectMs} ms, fetched in ${fetchMs} ms, ${way}`
    const state = { pairs: pairs + 1, direct: direct + Number(isDirect) }
    return {
      state,
      isDone: state.pairs === PAIRS.length,
      note: `${note}; ${state.direct} of ${state.pairs} direct`
    }
  }
}
