import * as z from 'zod'

/** Bytes that ride in one message, before base64. */
export const DATA_BYTES_MAX: number = 32 * 1024
/** Characters of a path. */
export const PATH_LENGTH_MAX = 1024
/** Characters of a URL. */
export const URL_LENGTH_MAX = 2048
/** Entries one answer may list. */
export const ENTRIES_MAX = 256

/** A segment of a resource: as `#capability` takes it, in its one spelling (Unicode NFC). */
const SEGMENT = /^(?!\.{1,2}$)[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\\%*]+$/u
const SEGMENT_BYTES_MAX = 255

/** Bytes as base64, `DATA_BYTES_MAX` at most. */
export const data: z.ZodType<string> = z.base64().max(Math.ceil(DATA_BYTES_MAX / 3) * 4)

/** A path below a root, parts joined by `/`: `notes/a.txt`. */
export const path: z.ZodType<string> = z
  .string()
  .min(1)
  .max(PATH_LENGTH_MAX)
  .refine((text) => text.split('/').every(isSegment), 'expected a plain path')

/** A path, or nothing for the root itself. */
export const pathOrRoot: z.ZodType<string> = z.union([z.literal(''), path])

/** A did:key of an Ed25519 key, as far as its form goes. */
export const did: z.ZodType<string> = z.string().regex(/^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{40,48}$/)

/** A CIDv1 in base32, as far as its form goes. */
export const cid: z.ZodType<string> = z.string().regex(/^b[a-z2-7]{20,120}$/)

/** The name of a room that can be named in a resource: one segment. */
export const room: z.ZodType<string> = z
  .string()
  .min(1)
  .max(64)
  .refine((text) => isSegment(text) && !text.includes('/'), 'expected a room that a resource can name')

/** What somebody is called. */
export const nick: z.ZodType<string> = z.string().min(1).max(64)

/** A position in, or a number of, bytes. */
export const byteCount: z.ZodType<number> = z.int().min(0)
/** Milliseconds since the Unix epoch. */
export const timeMs: z.ZodType<number> = z.int().min(0)
/** No parameters, or an answer that says nothing but that it was done. */
export const nothing: z.ZodType<Nothing> = z.strictObject({})

/** No parameters, or an answer that says nothing but that it was done. */
export type Nothing = Readonly<Record<string, never>>

function isSegment(text: string): boolean {
  return SEGMENT.test(text) && text === text.normalize('NFC') && byteLength(text) <= SEGMENT_BYTES_MAX
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).byteLength
}
