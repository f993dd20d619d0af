/** Asks the limit per address once for each connection, though two places have to know. */
export interface InboundAdmission {
  /** Whether a connection that has said nothing yet may stay. */
  arrived(remoteAddress: string): boolean
  /** Whether libp2p may take a connection; one that {@link InboundAdmission.arrived} let in is not counted again. */
  taken(remoteAddress: string): boolean
  /** It will not be taken any more. */
  left(remoteAddress: string): void
}

/** Admission by `allow`, which counts whenever it is asked. */
export function createInboundAdmission(allow: (remoteAddress: string) => boolean): InboundAdmission {
  // As many as have said nothing yet, which whoever accepts them bounds.
  const counted = new Set<string>()
  return {
    arrived: (remoteAddress) => {
      const isAllowed = allow(remoteAddress)
      if (isAllowed) counted.add(remoteAddress)
      return isAllowed
    },
    taken: (remoteAddress) => counted.delete(remoteAddress) || allow(remoteAddress),
    left: (remoteAddress) => void counted.delete(remoteAddress)
  }
}
