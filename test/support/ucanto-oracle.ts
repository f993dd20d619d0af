import { delegate } from '@ucanto/core'
import type { Ability, Delegation, Signer as UcantoSigner, UCANLink } from '@ucanto/interface'
import { ed25519, Verifier } from '@ucanto/principal'
import { capability, claim, Failure, Revoked, Schema } from '@ucanto/validator'
import type { KeyPair } from '#did'

/** One link of a chain in the words both worlds share. Times in whole seconds; null for none. */
export interface OracleLink {
  readonly issuer: KeyPair
  readonly audience: KeyPair
  readonly command: string
  readonly resource: string
  readonly notBeforeS: number | null
  readonly expiresAtS: number | null
}

/** What is asked of the oracle. */
export interface OracleAccess {
  readonly root: KeyPair
  readonly actor: KeyPair
  readonly command: string
  readonly resource: string
  /** Which link was revoked, if any. */
  readonly revoked?: number
}

/** A chain as UCANs, and the invocation that would use it. */
export interface OracleChain {
  readonly access: OracleAccess
  readonly root: UcantoSigner
  readonly links: readonly Delegation[]
  readonly invocation: Delegation
}

/** The same chain as UCANs; the actor invokes with the leaf as proof. */
export async function oracleChain(links: readonly OracleLink[], access: OracleAccess): Promise<OracleChain> {
  const [root, actor] = await Promise.all([signerOf(access.root), signerOf(access.actor)])
  const chain: Delegation[] = []
  for (const link of links) chain.push(await delegationOf(link, chain.at(-1)))
  const leaf = chain.at(-1)
  const invocation = await delegate({
    issuer: actor,
    audience: root,
    capabilities: [{ can: access.command as Ability, with: access.resource as `${string}:${string}` }],
    expiration: Infinity,
    ...(leaf === undefined ? {} : { proofs: [leaf] })
  })
  return { access, root, links: chain, invocation }
}

/** What `@ucanto/validator` says of it, by the clock of this machine. */
export async function oracleAllows({ access, root, links, invocation }: OracleChain): Promise<boolean> {
  const revoked = access.revoked === undefined ? undefined : links[access.revoked]?.cid.toString()
  const result = await claim(capabilityOf(access.command), [invocation], {
    authority: root,
    principal: Verifier,
    canIssue: (_capability, issuer) => issuer === root.did(),
    validateAuthorization: () =>
      revoked !== undefined && namesOf(invocation).includes(revoked)
        ? { error: new Revoked(invocation) }
        : { ok: {} }
  })
  return result.ok !== undefined
}

async function delegationOf(link: OracleLink, parent: Delegation | undefined): Promise<Delegation> {
  const [issuer, audience] = await Promise.all([signerOf(link.issuer), signerOf(link.audience)])
  return await delegate({
    issuer,
    audience,
    capabilities: [{ can: link.command as Ability, with: link.resource as `${string}:${string}` }],
    expiration: link.expiresAtS ?? Infinity,
    ...(link.notBeforeS === null ? {} : { notBefore: link.notBeforeS }),
    ...(parent === undefined ? {} : { proofs: [parent] })
  })
}

function capabilityOf(command: string): ReturnType<typeof capability> {
  return capability({
    can: command as Ability,
    with: Schema.URI.match({ protocol: 'localhost:' }),
    derives: (child, parent) =>
      isWithin(child.with, parent.with) ? { ok: {} } : { error: new Failure('resource') }
  })
}

function isWithin(child: string, parent: string): boolean {
  const [mine, theirs] = [parent.split('/'), child.split('/')]
  if (mine.at(-1) !== '*') return child === parent
  return mine.slice(0, -1).every((segment, index) => segment === theirs[index])
}

async function signerOf(key: KeyPair): Promise<UcantoSigner> {
  return await ed25519.derive(key.seed)
}

function namesOf(delegation: Delegation): string[] {
  const proofs = delegation.proofs as readonly (Delegation | UCANLink)[]
  return [delegation.cid.toString(), ...proofs.flatMap((proof) => ('proofs' in proof ? namesOf(proof) : []))]
}
