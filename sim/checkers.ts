import type { CID } from 'multiformats/cid'
import type { ElastosNode } from '#node'

/** Something a node took in. */
export interface Published {
  readonly cid: CID
  /** The index of the node. */
  readonly at: number
  readonly isPrivate: boolean
  readonly bytes: Uint8Array
}

/** Something a node got. */
export interface Fetched {
  readonly cid: CID
  /** The index of the node. */
  readonly at: number
  readonly bytes: Uint8Array
}

/** Something one node heard another say in a room. */
export interface Heard {
  /** The index of the node that heard it. */
  readonly at: number
  /** Names the message. */
  readonly id: string
  readonly text: string
}

/** What happened in a simulation, as its scenario saw it. */
export interface History {
  readonly published: readonly Published[]
  readonly fetched: readonly Fetched[]
  readonly heard: readonly Heard[]
}

/** What must hold when nothing is under way; each sentence is one thing that does not. */
export async function findViolations(history: History, nodes: readonly ElastosNode[]): Promise<string[]> {
  return [
    ...wrongBytes(history),
    ...leakedToNodes(history),
    ...(await wouldServePrivate(history, nodes)),
    ...alone(nodes),
    ...heardTwice(history)
  ]
}

/** Content addressing: what a CID gives is what was published under it. */
function wrongBytes({ published, fetched }: History): string[] {
  return fetched.flatMap(({ cid, at, bytes }) => {
    const original = published.find((one) => one.cid.equals(cid))
    if (original === undefined) return [`node ${at} got ${cid.toString()}, which nobody published`]
    return Buffer.compare(original.bytes, bytes) === 0
      ? []
      : [`node ${at} got other bytes for ${cid.toString()}`]
  })
}

/** Nothing is public by accident: what is private is with whoever took it in and nowhere else. */
function leakedToNodes({ published, fetched }: History): string[] {
  return fetched.flatMap(({ cid, at }) => {
    const takenIn = published.filter((one) => one.cid.equals(cid))
    const isOpen = takenIn.some((one) => !one.isPrivate || one.at === at)
    return isOpen || takenIn.length === 0 ? [] : [`node ${at} got the private ${cid.toString()}`]
  })
}

/** The same, asked of whoever decides: nobody who holds it would give it to anybody. */
async function wouldServePrivate({ published }: History, nodes: readonly ElastosNode[]): Promise<string[]> {
  const violations: string[] = []
  for (const { cid, at, isPrivate } of published) {
    const owner = nodes[at]
    if (!isPrivate || owner === undefined) continue
    if (published.some((one) => one.cid.equals(cid) && one.at === at && !one.isPrivate)) continue
    const served: number[] = []
    for (const [index, asker] of nodes.entries()) {
      if (index !== at && (await owner.content.mayServe(cid, asker.host.peerId))) served.push(index)
    }
    if (served.length === 0) continue
    violations.push(`node ${at} would serve the private ${cid.toString()} to node ${served.join(', ')}`)
  }
  return violations
}

/** A node at rest is in the network. */
function alone(nodes: readonly ElastosNode[]): string[] {
  if (nodes.length < 2) return []
  return nodes.flatMap((node, index) =>
    node.host.reachability().tableSize > 0 ? [] : [`node ${index} has nobody in its routing table`]
  )
}

/** Replayed messages are dropped: nobody hears the same one twice. */
function heardTwice({ heard }: History): string[] {
  const seen = new Set<string>()
  return heard.flatMap(({ at, id, text }) => {
    const key = `${at} ${id}`
    const isAgain = seen.has(key)
    seen.add(key)
    return isAgain ? [`node ${at} heard ${JSON.stringify(text)} twice`] : []
  })
}
