/**
 * Content that whoever keeps it cannot read: a tree under one key, as one file of bytes. Format: `docs/protocols/sealed-content.md`.
 *
 * @packageDocumentation
 */
export { SEALED_KEY_BYTES } from './constants.ts'
export { sealedLink, splitLink } from './link.ts'
export { openTree, sealTree } from './sealed-tree.ts'
