import type { CID } from 'multiformats/cid'
import { ContentError } from '../errors.ts'
import { SEALED_KEY_BYTES } from './constants.ts'

/** What a text names, and the key that was with it. */
export interface SplitLink {
  readonly cidPath: string
  readonly key: Uint8Array | undefined
}

/** Where sealed content is and what opens it: `CID#KEY`, the key in base64url. Who has it reads the content. */
export function sealedLink(cid: CID, key: Uint8Array): string {
  return `${cid.toString()}#${Buffer.from(key).toString('base64url')}`
}

/**
 * Takes the key off a link; a text without `#` has none.
 *
 * @throws ContentError `ERR_SEALED_KEY`, which never repeats what came
 */
export function splitLink(text: string): SplitLink {
  const end = text.indexOf('#')
  if (end < 0) return { cidPath: text, key: undefined }
  const written = text.slice(end + 1)
  const key = Buffer.from(written, 'base64url')
  if (key.length !== SEALED_KEY_BYTES || key.toString('base64url') !== written) {
    throw new ContentError(
      'ERR_SEALED_KEY',
      `expected a key of ${SEALED_KEY_BYTES} bytes in base64url after the # of a link`
    )
  }
  return { cidPath: text.slice(0, end), key: Uint8Array.from(key) }
}
