import { assembleProgram } from '../../support/wat.ts'

/** Says something on standard output, reads its input so that this is recorded, and computes without end. */
export const ENDLESS_LOOP_AFTER_OUTPUT: Uint8Array = assembleProgram({
  imports: ['fd_read', 'fd_write'],
  fields: '(data (i32.const 0) "\\10\\00\\00\\00\\06\\00\\00\\00hello\\0a  hello\\0a")',
  body: `(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 32)))
    (loop $on (br $on))`
})

/** Reads the file `data` in pieces of 4 KiB and prints each. */
export const READER: Uint8Array = assembleProgram({
  imports: ['path_open', 'fd_read', 'fd_write', 'proc_exit'],
  fields: `(data (i32.const 64) "data")
    (data (i32.const 80) "\\00\\20\\00\\00\\00\\10\\00\\00")
    (data (i32.const 96) "\\00\\20\\00\\00\\00\\00\\00\\00")`,
  body: `(drop (call $path_open (i32.const 4) (i32.const 0) (i32.const 64) (i32.const 4) (i32.const 0)
      (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0)))
    (loop $next
      (drop (call $fd_read (i32.load (i32.const 0)) (i32.const 80) (i32.const 1) (i32.const 8)))
      (if (i32.eqz (i32.load (i32.const 8))) (then (call $proc_exit (i32.const 0))))
      (i32.store (i32.const 100) (i32.load (i32.const 8)))
      (drop (call $fd_write (i32.const 1) (i32.const 96) (i32.const 1) (i32.const 8)))
      (br $next))`
})
