/** Where a guard is told of its owner's life; descriptors 3 to 7 are its program's own. */
export const GUARD_DESCRIPTOR = 9

/**
 * The guard starts its program in its own process group, lets go of everything else and waits. A line tells it that the program has
 * ended: it buries it and ends as that did. The end of the pipe without a line is the end of its owner, however that came: then it
 * kills the whole group, itself included, whatever the program had come to.
 */
const GUARD_SCRIPT = `exec 8<&0
"$@" <&8 8<&- 9<&- &
exec <&- >&- 2>&- 3<&- 4<&- 5<&- 6<&- 7<&- 8<&-
read -r line <&9 && { wait $!; exit $?; }
kill -9 0`

/**
 * A program that cannot outlive whoever starts it, with all that it starts in its process group. A program that asks the kernel to
 * be killed with its parent is not: its parent may be gone before it asks, or kill it while a child of it has not asked yet.
 *
 * Its owner starts it as the first of a process group with a pipe at {@link GUARD_DESCRIPTOR}, writes a line to it once the program
 * has ended, and only then sees the guard end, with the program's exit code.
 */
export function guardedProgram(
  command: string,
  args: readonly string[]
): { readonly command: string; readonly args: readonly string[] } {
  return { command: '/bin/sh', args: ['-c', GUARD_SCRIPT, 'guard', command, ...args] }
}
