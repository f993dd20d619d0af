import { assembleProgram } from './wat.ts'

/** Writes to standard output for ever. */
export const FLOODS: Uint8Array = assembleProgram({
  imports: ['fd_write'],
  fields: '(data (i32.const 0) "\\00\\00\\00\\00\\00\\80\\00\\00")',
  body: `(loop $next (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (br $next))`
})

/** Gives back what comes on its channel. */
export const ANSWERS: Uint8Array = assembleProgram({
  imports: ['fd_read', 'fd_write'],
  fields: '(data (i32.const 0) "\\10\\00\\00\\00\\00\\10\\00\\00")',
  body: `(loop $next
    (drop (call $fd_read (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 4) (i32.load (i32.const 8)))
    (if (i32.eqz (i32.load (i32.const 8))) (then (return)))
    (drop (call $fd_write (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 4) (i32.const 4096))
    (br $next))`
})
