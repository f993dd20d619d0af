import type { ConfidenceStatus } from '#contracts'

/** What is to be said of an answer that cannot be trusted fully; nothing when it can. */
export function describeDoubts({ doubts, peers, networkSize }: ConfidenceStatus): string[] {
  const size = networkSize === undefined ? '' : ` of about ${networkSize}`
  return doubts.map((doubt) => {
    if (doubt === 'no-peers') return 'nobody answered: this says nothing about the network'
    if (doubt === 'few-peers') return `only ${peers} peers answered: they could agree to hide something`
    return `the ${peers} peers that answered sit suspiciously close together for a network${size}: do not trust that nothing else is there`
  })
}
