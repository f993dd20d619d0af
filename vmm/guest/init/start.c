/* What the host asked to be run, and its start with no rights at all. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init.h"

enum { FIELD_SEED = 1, FIELD_NOW, FIELD_USER, FIELD_TERMINAL, FIELD_FOLDER, FIELD_VARIABLE, FIELD_ARGUMENT, FIELD_REHEARSAL };

static uint64_t read_number(const uint8_t *at, size_t length) {
  uint64_t number = 0;
  for (size_t i = length; i > 0; i--) number = number << 8 | at[i - 1];
  return number;
}

/* Each string of a message and its end take less here than there, where each has its length and kind beside it. */
static char texts[FRAME_BYTES_MAX];
static size_t texts_bytes;

static char *copy_text(const uint8_t *at, size_t length) {
  char *text = texts + texts_bytes;
  memcpy(text, at, length);
  text[length] = 0;
  texts_bytes += length + 1;
  return text;
}

static bool append(char **list, size_t *count, char *text) {
  if (*count >= STRINGS_MAX) return false;
  list[(*count)++] = text;
  list[*count] = NULL;
  return true;
}

bool parse_start(const uint8_t *payload, size_t length, struct start *start) {
  size_t variables = 0, arguments = 0, at = 0;
  *start = (struct start){.folder = "/"};
  texts_bytes = 0;
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
      start->folder = copy_text(value, bytes);
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

/* Above what a program may have open, so that putting an end in its place closes no other. */
enum { ENDS_FROM = 64 };

/* Both ends of a program's streams, the child's in the order of its descriptors 0 to 3. */
struct ends {
  int ours[4], childs[4];
};

static const struct ends no_ends = {{-1, -1, -1, -1}, {-1, -1, -1, -1}};
/* Open before the program is known, and -1 once they are its. */
static struct ends prepared;

static void place_child_end(int *at, int end) {
  *at = fcntl(end, F_DUPFD_CLOEXEC, ENDS_FROM);
  if (*at < 0) fail(STEP_PIPES);
  close(end);
}

static void prepare_stream(int id) {
  int pair[2];
  bool is_input = id == 0;
  if ((id == 3 ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) : pipe2(pair, O_CLOEXEC)) != 0) fail(STEP_PIPES);
  prepared.ours[id] = pair[is_input ? 1 : 0];
  place_child_end(&prepared.childs[id], pair[is_input ? 0 : 1]);
  unblock(prepared.ours[id]);
}

void prepare_streams(void) {
  for (int id = 0; id < 4; id++) prepare_stream(id);
}

void close_unused_streams(void) {
  for (int id = 0; id < 4; id++) {
    if (prepared.ours[id] >= 0) close(prepared.ours[id]);
    if (prepared.childs[id] >= 0) close(prepared.childs[id]);
  }
  prepared = no_ends;
}

static int open_terminal(const struct start *start, struct ends *ends) {
  int leader = open("/program/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  int unlock = 0;
  if (leader < 0 || ioctl(leader, TIOCSPTLCK, &unlock) != 0) fail(STEP_TERMINAL);
  int follower = ioctl(leader, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (follower < 0) fail(STEP_TERMINAL);
  /* Before the program starts: it may ask at once. */
  struct winsize size = {.ws_col = start->columns, .ws_row = start->rows};
  if (ioctl(leader, TIOCSWINSZ, &size) != 0) fail(STEP_TERMINAL);
  if (fchown(follower, start->user, start->user) != 0 || fchmod(follower, 0600) != 0) fail(STEP_TERMINAL);
  place_child_end(&ends->childs[0], follower);
  ends->childs[1] = ends->childs[2] = ends->childs[0];
  unblock(leader);
  return leader;
}

/* The ends of a program's streams: of those that were prepared, all or, where it has a terminal, its channel alone. */
static struct ends take_streams(const struct start *start, struct program *program) {
  struct ends ends = no_ends;
  for (int id = start->has_terminal ? 3 : 0; id < 4; id++) {
    ends.ours[id] = prepared.ours[id];
    ends.childs[id] = prepared.childs[id];
    prepared.ours[id] = prepared.childs[id] = -1;
  }
  if (start->has_terminal) ends.ours[0] = ends.ours[1] = open_terminal(start, &ends);
  program->stdin_fd = ends.ours[0];
  program->stdout_fd = ends.ours[1];
  program->stderr_fd = ends.ours[2];
  program->channel_fd = ends.ours[3];
  return ends;
}

static bool place_ends(const struct ends *ends) {
  for (int i = 0; i < 4; i++)
    if (dup2(ends->childs[i], i) < 0) return false;
  return true;
}

/* By the kernel's calls themselves: a library would look for threads that share our memory, and the child does. */
static bool become_user(uint32_t user) {
  return syscall(SYS_setresgid, user, user, user) == 0 && syscall(SYS_setresuid, user, user, user) == 0;
}

/* Why the child that was to be the program is not. */
static volatile int failure;

/* In the child, which has our memory until it is the program: it changes nothing of it but the number it leaves of its failure. */
static bool be_nobody(const struct ends *ends, bool has_terminal, uint32_t user) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  setsid();
  return place_ends(ends) && (!has_terminal || ioctl(0, TIOCSCTTY, 0) == 0) && chroot("/program") == 0 &&
         chdir("/") == 0 && become_user(user);
}

static _Noreturn void become(const struct start *start) {
  if (chdir(start->folder) == 0) execve(start->arguments[0], start->arguments, start->environment);
  failure = errno;
  _exit(127);
}

static _Noreturn void give_up(void) {
  failure = errno;
  _exit(127);
}

/* A child that waits to be told that it may become the program, as this user and with pipes; 0 where there is none. */
static struct {
  pid_t pid;
  uint32_t user;
  /* Ours to tell it, and ours to hear that it waits, and then that it is the program or has ended; the other ends are its own. */
  int tell, hear, wait, say;
  const struct start *start;
} child;

enum { CHILD_STACK_BYTES = 16384 };

static int wait_to_become(void *ignored) {
  (void)ignored;
  char word = 0;
  if (!be_nobody(&prepared, false, child.user)) give_up();
  if (write(child.say, &word, 1) != 1 || read(child.wait, &word, 1) != 1) give_up();
  become(child.start);
}

void prepare_child(uint32_t user) {
  static _Alignas(16) char stack[CHILD_STACK_BYTES];
  int told[2], heard[2];
  if (child.pid > 0) return;
  if (pipe2(told, O_CLOEXEC) != 0 || pipe2(heard, O_CLOEXEC) != 0) fail(STEP_PIPES);
  child.user = user;
  child.tell = told[1];
  child.wait = told[0];
  child.hear = heard[0];
  child.say = heard[1];
  failure = 0;
  child.pid = clone(wait_to_become, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
  if (child.pid < 0) fail(STEP_PROGRAM);
  close(told[0]);
  close(heard[1]);
  /* Whoever goes on from here goes on with one that waits, or there is none. */
  char word;
  if (read(child.hear, &word, 1) == 1) return;
  errno = failure;
  fail(STEP_PROGRAM);
}

/* Has the child that waits become the program, and waits until it is that or has failed. */
static pid_t release_child(const struct start *start) {
  char word = 0;
  child.start = start;
  if (write(child.tell, &word, 1) == 1) while (read(child.hear, &word, 1) < 0 && errno == EINTR) continue;
  close(child.tell);
  close(child.hear);
  pid_t pid = child.pid;
  child.pid = 0;
  return pid;
}

static void end_child(void) {
  if (child.pid <= 0) return;
  kill(child.pid, SIGKILL);
  close(child.tell);
  close(child.hear);
  while (waitpid(child.pid, NULL, 0) < 0 && errno == EINTR) continue;
  child.pid = 0;
}

static pid_t start_child(const struct start *start, const struct ends *ends) {
  if (child.pid > 0 && !start->has_terminal && start->user == child.user) return release_child(start);
  end_child();
  failure = 0;
  /* We go on when it is the program, or has failed. Nothing of us is copied for it. */
  pid_t pid = vfork();
  if (pid != 0) return pid;
  if (!be_nobody(ends, start->has_terminal, start->user)) give_up();
  become(start);
}

void start_program(const struct start *start, struct program *program) {
  static struct ends ends;
  ends = take_streams(start, program);
  pid_t pid = start_child(start, &ends);
  program->pid = pid;
  for (int i = 0; i < 4; i++)
    if (i == 0 || i == 3 || ends.childs[i] != ends.childs[0]) close(ends.childs[i]);
  if (pid >= 0 && failure == 0) return;
  if (pid >= 0) errno = failure;
  fail(STEP_PROGRAM);
}
