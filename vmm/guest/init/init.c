/*
 * The first process of a guest: meets the host over the channel, takes seed and time, gives up every right and runs one
 * program, and tells how that ended. docs/protocols/vm-channel.md has the messages.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init.h"

static struct program program = {.pid = -1, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1, .channel_fd = -1};
static bool has_started;
static bool is_rehearsal;

static void take_start(const uint8_t *payload, size_t length) {
  static struct start start;
  errno = EINVAL;
  if (!parse_start(payload, length, &start)) fail(STEP_START);
  is_rehearsal = start.is_rehearsal;
  channel_mute(is_rehearsal);
  take_seed(start.seed);
  set_time(start.now_ms);
  mount_root();
  start_program(&start, &program);
  has_started = true;
  streams_open(&program);
  send_frame(FRAME_RUNNING, 0, NULL, 0);
}

static void say_hello(void) {
  static const uint8_t versions[] = {VERSION, VERSION_AGAIN, VERSION_MOUNT};
  send_frame(FRAME_HELLO, 0, versions, sizeof versions);
}

static void take_frame(unsigned type, unsigned stream, const uint8_t *payload, size_t length) {
  if (type == FRAME_START && !has_started) take_start(payload, length);
  else if (type == FRAME_MOUNT && !has_started && length == 4) {
    mount_root();
    read_image();
    prepare_child(payload[0] | (uint32_t)payload[1] << 8 | (uint32_t)payload[2] << 16 | (uint32_t)payload[3] << 24);
    say_hello();
  } else if (!has_started) halt();
  else if (type >= FRAME_DATA) streams_take(type, stream, payload, length);
  else if (type == FRAME_SIGNAL && length == 1) {
    /* To all of them: the program is the leader of its session. */
    kill(-program.pid, payload[0]);
  } else if (type == FRAME_RESIZE && length == 4) {
    terminal_resize((uint16_t)(payload[0] | payload[1] << 8), (uint16_t)(payload[2] | payload[3] << 8));
  }
}

static int watch_children(void) {
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_BLOCK, &children, NULL);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &children, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* Buries every child that ended; whether the program was among them, and then how it ended. */
static bool bury(int signal_fd, uint8_t ending[2]) {
  struct signalfd_siginfo ignored;
  while (read(signal_fd, &ignored, sizeof ignored) > 0) continue;
  bool is_over = false;
  int status;
  for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
    if (pid != program.pid) continue;
    is_over = true;
    ending[0] = WIFSIGNALED(status) ? 1 : 0;
    ending[1] = (uint8_t)(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  }
  return is_over;
}

static void serve(int signal_fd) {
  uint8_t ending[2] = {0, 0};
  bool is_over = false;
  while (!is_over || !streams_are_drained()) {
    bool has_signal = false, has_message = false;
    streams_poll(signal_fd, &has_signal, &has_message);
    if (has_message) channel_read(take_frame);
    if (has_signal && bury(signal_fd, ending)) {
      is_over = true;
      /* Whom it left behind ends with it, so that its streams end. */
      kill(-1, SIGKILL);
    }
  }
  send_frame(FRAME_EXIT, 0, ending, sizeof ending);
}

/* One that only carries does not run before whoever fills its pipes waits: it then carries more at once. */
static void let_others_first(void) {
  const struct sched_param none = {.sched_priority = 0};
  syscall(SYS_sched_setscheduler, 0, SCHED_BATCH | SCHED_RESET_ON_FORK, &none);
}

/* What the next program gets that is the same for all of them. */
static void prepare(void) {
  prepare_root();
  prepare_streams();
}

/* Waits for a start message and runs its program to its end. */
static void run(int signal_fd) {
  while (!has_started) {
    channel_wait();
    channel_read(take_frame);
  }
  serve(signal_fd);
}

/* Everything is as it was before its start message, but for what nobody sees. */
static void forget(void) {
  while (waitpid(-1, NULL, 0) > 0) continue;
  streams_close();
  close_unused_streams();
  unmount_root();
  program = (struct program){.pid = -1, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1, .channel_fd = -1};
  has_started = false;
  channel_mute(false);
}

int main(int count, char **arguments) {
  if (getpid() != 1) return rehearse(count > 1 && strcmp(arguments[1], "word") == 0);
  mount_basics();
  load_modules();
  wake_generator();
  int signal_fd = watch_children();
  let_others_first();
  channel_open(open_channel_device());
  bind_children();
  simplify_disk();
  do {
    if (is_rehearsal) forget();
    prepare();
    say_hello();
    run(signal_fd);
  } while (is_rehearsal);
  /* The host has the last frame when it ends the machine; there is nothing else to do. */
  for (;;) pause();
}
