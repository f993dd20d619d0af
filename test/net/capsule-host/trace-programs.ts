import { assembleProgram } from '../../support/wat.ts'

/** Says something on standard output, reads its input so that this is recorded, and computes without end. */
export const ENDLESS_LOOP_AFTER_OUTPUT: Uint8Array = assembleProgram({
  imports: ['fd_read', 'fd_write'],
  fields: '(data (i32.const 0) "\\10\\00\\00\\00\\06\\00\\00\\00hello\\0a  hello\\0a")',
  body: `(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 32)))
    (loop $on (br $on))`
})
