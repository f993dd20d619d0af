/* What the host asked to be run, and its start with no rights at all. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"

/* More than there are; the kernel says where they end. */
enum { CAPABILITIES_MAX = 64 };
enum { FIELD_SEED = 1, FIELD_NOW, FIELD_USER, FIELD_TERMINAL, FIELD_FOLDER, FIELD_VARIABLE, FIELD_ARGUMENT, FIELD_REHEARSAL };

static uint64_t read_number(const uint8_t *at, size_t length) {
  uint64_t number = 0;
  for (size_t i = length; i > 0; i--) number = number << 8 | at[i - 1];
  return number;
}

static char *copy_text(const uint8_t *at, size_t length) {
  char *text = malloc(length + 1);
  if (text == NULL) return NULL;
  memcpy(text, at, length);
  text[length] = 0;
  return text;
}

static bool append(char **list, size_t *count, char *text) {
  if (text == NULL || *count >= STRINGS_MAX) return false;
  list[(*count)++] = text;
  list[*count] = NULL;
  return true;
}

bool parse_start(const uint8_t *payload, size_t length, struct start *start) {
  size_t variables = 0, arguments = 0, at = 0;
  *start = (struct start){.folder = "/"};
  while (length - at >= 3) {
    unsigned field = payload[at];
    size_t bytes = payload[at + 1] | (size_t)payload[at + 2] << 8;
    const uint8_t *value = payload + at + 3;
    if (bytes > length - at - 3) return false;
    at += 3 + bytes;
    if (field == FIELD_SEED && bytes == SEED_BYTES) start->seed = value;
    else if (field == FIELD_NOW && bytes == 8) start->now_ms = read_number(value, 8);
    else if (field == FIELD_USER && bytes == 4) start->user = (uint32_t)read_number(value, 4);
    else if (field == FIELD_TERMINAL && bytes == 4) {
      start->has_terminal = true;
      start->columns = (uint16_t)read_number(value, 2);
      start->rows = (uint16_t)read_number(value + 2, 2);
    } else if (field == FIELD_FOLDER) {
      if ((start->folder = copy_text(value, bytes)) == NULL) return false;
    } else if (field == FIELD_VARIABLE) {
      if (!append(start->environment, &variables, copy_text(value, bytes))) return false;
    } else if (field == FIELD_ARGUMENT) {
      if (!append(start->arguments, &arguments, copy_text(value, bytes))) return false;
    } else if (field == FIELD_REHEARSAL && bytes == 0) {
      start->is_rehearsal = true;
    } else return false;
  }
  return at == length && start->seed != NULL && start->user != 0 && arguments > 0;
}

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

/* The child's ends of its streams, in the order of its descriptors 0 to 3. */
struct ends {
  int fds[4];
};

static void make_pipe(int *read_end, int *write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) fail(STEP_PIPES);
  *read_end = ends[0];
  *write_end = ends[1];
}

static void make_terminal(const struct start *start, struct program *program, struct ends *child) {
  int leader = open("/program/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  int unlock = 0;
  if (leader < 0 || ioctl(leader, TIOCSPTLCK, &unlock) != 0) fail(STEP_TERMINAL);
  int follower = ioctl(leader, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (follower < 0) fail(STEP_TERMINAL);
  /* Before the program starts: it may ask at once. */
  struct winsize size = {.ws_col = start->columns, .ws_row = start->rows};
  if (ioctl(leader, TIOCSWINSZ, &size) != 0) fail(STEP_TERMINAL);
  if (fchown(follower, start->user, start->user) != 0 || fchmod(follower, 0600) != 0) fail(STEP_TERMINAL);
  program->stdin_fd = program->stdout_fd = leader;
  program->stderr_fd = -1;
  for (int i = 0; i < 3; i++) child->fds[i] = follower;
}

static void make_streams(const struct start *start, struct program *program, struct ends *child) {
  int pair[2];
  if (start->has_terminal) make_terminal(start, program, child);
  else {
    make_pipe(&child->fds[0], &program->stdin_fd);
    make_pipe(&program->stdout_fd, &child->fds[1]);
    make_pipe(&program->stderr_fd, &child->fds[2]);
  }
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) fail(STEP_PIPES);
  program->channel_fd = pair[0];
  child->fds[3] = pair[1];
}

static bool give_up_rights(uint32_t user) {
  for (int capability = 0; capability < CAPABILITIES_MAX; capability++)
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EINVAL) return false;
  return setgroups(0, NULL) == 0 && setresgid(user, user, user) == 0 && setresuid(user, user, user) == 0 &&
         prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/* Above what the child may have open, so that putting an end in its place closes no other. */
static bool place_ends(const struct ends *ends) {
  int moved[4];
  for (int i = 0; i < 4; i++)
    if ((moved[i] = fcntl(ends->fds[i], F_DUPFD_CLOEXEC, 64)) < 0) return false;
  for (int i = 0; i < 4; i++)
    if (dup2(moved[i], i) < 0) return false;
  return true;
}

static _Noreturn void become(const struct start *start, const struct ends *ends, int report) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  umask(022);
  report = fcntl(report, F_DUPFD_CLOEXEC, 128);
  setsid();
  if (place_ends(ends) && (!start->has_terminal || ioctl(0, TIOCSCTTY, 0) == 0) && chroot("/program") == 0 &&
      chdir("/") == 0 && give_up_rights(start->user) && chdir(start->folder) == 0)
    execve(start->arguments[0], start->arguments, start->environment);
  int number = errno;
  if (write(report, &number, sizeof number) < 0) _exit(126);
  _exit(127);
}

void start_program(const struct start *start, struct program *program) {
  struct ends child;
  int report_read, report_write, number = 0;
  make_streams(start, program, &child);
  make_pipe(&report_read, &report_write);
  program->pid = fork();
  if (program->pid < 0) fail(STEP_PROGRAM);
  if (program->pid == 0) become(start, &child, report_write);
  close(report_write);
  for (int i = 0; i < 4; i++)
    if (i == 0 || i == 3 || child.fds[i] != child.fds[0]) close(child.fds[i]);
  /* Nothing comes when the program was started: its end of this pipe was closed by that. */
  if (read(report_read, &number, sizeof number) == sizeof number) {
    errno = number;
    fail(STEP_PROGRAM);
  }
  close(report_read);
}
