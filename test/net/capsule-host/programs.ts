import { assembleProgram, assembleWat } from '../../support/wat.ts'

export { FLOODS } from '../../support/capsule-programs.ts'

/** Programs that end by themselves. */
export const EXIT_7: Uint8Array = assembleProgram({
  imports: ['proc_exit'],
  body: '(call $proc_exit (i32.const 7))'
})
export const TRAP: Uint8Array = assembleProgram({ body: '(unreachable)' })
export const OUT_OF_BOUNDS: Uint8Array = assembleProgram({ body: '(drop (i32.load (i32.const 0x7fffff00)))' })
export const ENDLESS_RECURSION: Uint8Array = assembleProgram({
  fields: '(func $deep (call $deep) (call $deep))',
  body: '(call $deep)'
})
/** Well-formed as far as admission looks; its code does not type-check. */
export const BROKEN_CODE: Uint8Array = assembleWat(
  '(module (memory (export "memory") 1) (func (export "_start") (drop (i32.const 1))))'
).map((byte, index, all) => (byte === 0x41 && all[index + 2] === 0x1a ? 0x43 : byte))

/** Gives back its standard input, and ends with it. */
export const ECHO: Uint8Array = assembleProgram({
  imports: ['fd_read', 'fd_write'],
  fields: '(data (i32.const 0) "\\10\\00\\00\\00\\00\\10\\00\\00")',
  body: `(loop $next
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 4) (i32.load (i32.const 8)))
    (if (i32.eqz (i32.load (i32.const 8))) (then (return)))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 4) (i32.const 4096))
    (br $next))`
})

/** Looks for input again and again without ever waiting, and ends with 3 when some has come. */
export const LOOKS_FOR_INPUT: Uint8Array = assembleProgram({
  imports: ['fd_fdstat_set_flags', 'fd_read', 'proc_exit'],
  fields: '(data (i32.const 0) "\\10\\00\\00\\00\\00\\10\\00\\00")',
  body: `(drop (call $fd_fdstat_set_flags (i32.const 0) (i32.const 4)))
    (loop $next (br_if $next (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))))
    (call $proc_exit (i32.const 3))`
})

/** Polls for input, and for a stream that can always be written, until some has come; then ends with 3. */
export const POLLS_FOR_INPUT: Uint8Array = assembleProgram({
  imports: ['poll_oneoff', 'proc_exit'],
  fields: '(data (i32.const 8) "\\01") (data (i32.const 56) "\\02") (data (i32.const 64) "\\01")',
  body: `(loop $next
      (drop (call $poll_oneoff (i32.const 0) (i32.const 256) (i32.const 2) (i32.const 128)))
      (br_if $next (i32.ne (i32.load8_u (i32.const 266)) (i32.const 1))))
    (call $proc_exit (i32.const 3))`
})

/** Writes its arguments, each with its zero, to standard output. */
export const ARGUMENTS: Uint8Array = assembleProgram({
  imports: ['args_get', 'args_sizes_get', 'fd_write'],
  body: `(drop (call $args_sizes_get (i32.const 0) (i32.const 20)))
    (drop (call $args_get (i32.const 64) (i32.const 1024)))
    (i32.store (i32.const 16) (i32.const 1024))
    (drop (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 0)))`
})

/** Says `ready` on standard output, and then waits for input that may never come. */
export const WAITS: Uint8Array = assembleProgram({
  imports: ['fd_read', 'fd_write'],
  fields: '(data (i32.const 0) "\\10\\00\\00\\00\\06\\00\\00\\00ready\\0a  ready\\0a")',
  body: `(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 32)))`
})

/** Writes to standard error and standard output, then exits with what the call that must be refused answered. */
export const OPENS_A_FILE: Uint8Array = assembleProgram({
  imports: ['path_open', 'proc_exit'],
  body: `(call $proc_exit (call $path_open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0)
    (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 16)))`
})

/** Sleeps 30 ms by the clock, and exits with 1 if less than that passed on it. */
export const SLEEPS: Uint8Array = assembleProgram({
  imports: ['clock_time_get', 'poll_oneoff', 'proc_exit'],
  body: `(drop (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 200)))
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (i64.const 30000000))
    (drop (call $poll_oneoff (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
    (drop (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 208)))
    (call $proc_exit (i64.lt_u
      (i64.sub (i64.load (i32.const 208)) (i64.load (i32.const 200))) (i64.const 30000000)))`
})

/** Asks the runtime for something on descriptor 3 and copies the answer to standard output. */
export const ASKS: Uint8Array = assembleProgram({
  imports: ['fd_read', 'fd_write'],
  fields: `(data (i32.const 16) "{\\"jsonrpc\\":\\"2.0\\",\\"id\\":1,\\"method\\":\\"storage.read\\"}\\0a")`,
  body: `(i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 51))
    (drop (call $fd_write (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 4096))
    (drop (call $fd_read (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 4) (i32.load (i32.const 8)))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))`
})

/** Programs that would go on for ever, or take everything. */
export const SPINS: Uint8Array = assembleProgram({ body: '(loop $next (br $next))' })
export const FLOODS_CHANNEL: Uint8Array = assembleProgram({
  imports: ['fd_write'],
  fields: '(data (i32.const 16) "{\\"jsonrpc\\":\\"2.0\\",\\"id\\":1,\\"method\\":\\"m\\"}\\0a")',
  body: `(i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 40))
    (loop $next (drop (call $fd_write (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 8))) (br $next))`
})
/** Writes one line to the channel that never ends. */
export const ENDLESS_LINE: Uint8Array = assembleProgram({
  imports: ['fd_write'],
  fields: '(data (i32.const 0) "\\00\\01\\00\\00\\00\\80\\00\\00")',
  body: `(loop $next (drop (call $fd_write (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 8))) (br $next))`
})
/** Takes memory and writes to every page until it gets no more; then traps. */
export const MEMORY_BOMB: Uint8Array = assembleProgram({
  body: `(local $page i32)
    (loop $next
      (local.set $page (memory.grow (i32.const 16)))
      (if (i32.eq (local.get $page) (i32.const -1)) (then (unreachable)))
      (memory.fill (i32.mul (local.get $page) (i32.const 65536)) (i32.const 1) (i32.const 1048576))
      (br $next))`
})
/** Grows a table for ever; exits with 9 when it gets no more. */
export const TABLE_BOMB: Uint8Array = assembleProgram({
  imports: ['proc_exit'],
  fields: '(table $t 1 funcref)',
  body: `(loop $next
    (if (i32.eq (table.grow $t (ref.null func) (i32.const 1024)) (i32.const -1)) (then (call $proc_exit (i32.const 9))))
    (br $next))`
})
/** Ends with 5, catches the exception that should end it, and goes on writing. */
export const WILL_NOT_END: Uint8Array = assembleProgram({
  imports: ['proc_exit', 'fd_write'],
  fields: '(data (i32.const 0) "\\00\\00\\00\\00\\00\\10\\00\\00")',
  body: `(block $caught (try_table (catch_all $caught) (call $proc_exit (i32.const 5))))
    (loop $next (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (br $next))`
})
/** One function of more than a megabyte. */
export function bigFunction(): Uint8Array {
  const step = '(local.set 0 (i64.add (i64.mul (local.get 0) (local.get 1)) (i64.const 7)))'
  return assembleProgram({ body: `(local i64 i64) ${step.repeat(80_000)}` })
}
