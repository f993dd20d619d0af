/**
 * Content: files and folders as UnixFS, blocks on disk, pins, and the rule that peers are served nothing that
 * does not lie under a root marked public or shared with them.
 *
 * @packageDocumentation
 */
export { ContentError } from './errors.ts'
export type { ContentErrorCode } from './errors.ts'
export type { BlockExchange, BlockSession, ContentRouting, SessionReport } from './exchange.ts'
