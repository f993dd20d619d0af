import { forkAndMeet } from '../../../support/private-forks.ts'

describe('a private room that forks again and again', function () {
  this.timeout(120_000)

  it('is one again, and quiet', async () => {
    await forkAndMeet(22, [11, 11])
  })
})
