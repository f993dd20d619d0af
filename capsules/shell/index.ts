/**
 * The shell: the capsule that decides what other capsules may do. Pure policy; how a person is asked is the host's.
 *
 * @example
 * ```ts
 * import { decide } from '#shell'
 *
 * const answer = await decide(question, { mode: 'prompt', askPerson })
 * ```
 *
 * @packageDocumentation
 */
export { decide, SHELL_MODES } from './policy.ts'
export type { ShellMode, ShellPolicy } from './policy.ts'
