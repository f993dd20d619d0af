import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { create as createDigest } from 'multiformats/hashes/digest'
import { sha256 } from 'multiformats/hashes/sha2'
import { loadFirstPartyCapsule } from '#capsule-host'
import type { VerifiedPackage } from './capsules.ts'

/**
 * Capsules that came with this release have a lineage of their own: no publisher's did begins like this, so none can be
 * mistaken for them. They alone are given powers of the host.
 */
export const SHIPPED_PREFIX = 'shipped/'

/** Which of them serves a contract, unless its user chose another. */
const PROVIDERS: Readonly<Record<string, string>> = {
  'localhost@1': 'localhost-provider',
  'did@1': 'did-provider',
  'peer@1': 'peer-provider',
  'content@1': 'content-provider',
  'http@1': 'http-provider'
}

/** Every capsule of this release. */
const NAMES: ReadonlySet<string> = new Set([...Object.values(PROVIDERS), 'shell', 'chat'])

/** Whether a capsule of this release is called so. */
export function isShippedName(name: string): boolean {
  return NAMES.has(name)
}

/** The name of the capsule of this release that serves a contract. */
export function shippedProviderOf(contract: string): string | undefined {
  return PROVIDERS[contract]
}

/** The contracts that capsules of this release serve. */
export const SHIPPED_CONTRACTS: readonly string[] = Object.keys(PROVIDERS)

/**
 * A capsule of this release: signed and verified where it was built, else compiled from sources.
 *
 * @throws CapsuleError `ERR_CAPSULE_NOT_INSTALLED`, `ERR_CAPSULE_TAMPERED`; why it does not compile
 */
export async function loadShippedCapsule(name: string): Promise<VerifiedPackage> {
  const { manifest, manifestBytes, module, shipped } = await loadFirstPartyCapsule(name)
  const lineage = SHIPPED_PREFIX + name
  if (shipped !== undefined) {
    const { cid, root, publisher, opened } = shipped
    const { files, bytes } = opened
    const status = { cid, root, publisher, name, version: manifest.version, files, bytes, isSigned: true }
    return { status, lineage, opened, isOwn: false }
  }
  const bytes = module.byteLength + manifestBytes.byteLength
  const digest = createDigest(sha256.code, createHash('sha256').update(module).digest())
  const cid = CID.createV1(raw.code, digest).toString()
  return {
    status: { cid, root: '', name, version: manifest.version, files: 2, bytes, isSigned: false },
    lineage,
    opened: { manifest, entry: module, files: 2, bytes },
    isOwn: false
  }
}
