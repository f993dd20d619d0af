/* Bytes between the program's descriptors and the streams of the channel, each held back by credit of its own. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "init.h"

struct stream_state {
  /* Where the program reads, -1 when it takes no more; and where it writes, -1 after its end. */
  int to_program, from_program;
  /* Bytes the host lets us send. */
  uint32_t credit;
  /* Bytes of the host that the program has not taken, as a ring. */
  uint8_t held[WINDOW_BYTES];
  uint32_t held_start, held_bytes;
  /* Taken since the host was last told. */
  uint32_t taken;
  bool has_host_end;
};

static struct stream_state streams[STREAMS];
static int terminal = -1;

void unblock(int fd) {
  if (fd < 0) return;
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  /* No pipe, no matter. */
  fcntl(fd, F_SETPIPE_SZ, WINDOW_BYTES);
}

static void open_stream(enum stream id, int to_program, int from_program) {
  streams[id].to_program = to_program;
  streams[id].from_program = from_program;
  streams[id].credit = WINDOW_BYTES;
}

void streams_open(const struct program *program) {
  terminal = program->stdin_fd == program->stdout_fd ? program->stdin_fd : -1;
  open_stream(STREAM_STDIN, program->stdin_fd, -1);
  open_stream(STREAM_STDOUT, -1, program->stdout_fd);
  open_stream(STREAM_STDERR, -1, program->stderr_fd);
  open_stream(STREAM_CHANNEL, program->channel_fd, program->channel_fd);
  if (program->stderr_fd < 0) send_frame(FRAME_END, STREAM_STDERR, NULL, 0);
}

static void close_end(int fd, int other) {
  if (fd >= 0 && fd != other && fd != terminal) close(fd);
}

void streams_close(void) {
  for (unsigned id = 1; id < STREAMS; id++) {
    struct stream_state *stream = &streams[id];
    close_end(stream->to_program, stream->from_program);
    close_end(stream->from_program, -1);
    stream->to_program = stream->from_program = -1;
    stream->held_start = stream->held_bytes = stream->taken = 0;
    stream->has_host_end = false;
  }
  if (terminal >= 0) close(terminal);
  terminal = -1;
}

void terminal_resize(uint16_t columns, uint16_t rows) {
  struct winsize size = {.ws_col = columns, .ws_row = rows};
  if (terminal >= 0) ioctl(terminal, TIOCSWINSZ, &size);
}

static uint32_t read32(const uint8_t *at) {
  return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void send_credit(unsigned id, uint32_t bytes) {
  uint8_t payload[4] = {(uint8_t)bytes, (uint8_t)(bytes >> 8), (uint8_t)(bytes >> 16), (uint8_t)(bytes >> 24)};
  send_frame(FRAME_CREDIT, id, payload, sizeof payload);
}

static void hold(struct stream_state *stream, const uint8_t *bytes, size_t length) {
  if (length > WINDOW_BYTES - stream->held_bytes) halt();
  for (size_t done = 0; done < length;) {
    uint32_t at = (stream->held_start + stream->held_bytes) % WINDOW_BYTES;
    size_t part = length - done < WINDOW_BYTES - at ? length - done : WINDOW_BYTES - at;
    memcpy(stream->held + at, bytes + done, part);
    stream->held_bytes += (uint32_t)part;
    done += part;
  }
}

void streams_take(unsigned type, unsigned id, const uint8_t *payload, size_t length) {
  if (id == 0 || id >= STREAMS) halt();
  struct stream_state *stream = &streams[id];
  if (type == FRAME_DATA) hold(stream, payload, length);
  else if (type == FRAME_CREDIT && length == 4) stream->credit += read32(payload);
  else if (type == FRAME_END) stream->has_host_end = true;
  else if (type == FRAME_CLOSE && stream->from_program >= 0 && stream->from_program != terminal) {
    /* The program is told as a pipe tells it. */
    if (stream->from_program != stream->to_program) close(stream->from_program);
    stream->from_program = -1;
  }
}

/* The program takes no more: what was held for it is dropped and the host is told. */
static void stop_taking(unsigned id) {
  struct stream_state *stream = &streams[id];
  if (stream->to_program != stream->from_program && stream->to_program != terminal) close(stream->to_program);
  stream->to_program = -1;
  stream->held_bytes = 0;
  send_frame(FRAME_CLOSE, id, NULL, 0);
}

static void give(unsigned id) {
  struct stream_state *stream = &streams[id];
  while (stream->held_bytes > 0) {
    uint32_t part = WINDOW_BYTES - stream->held_start;
    if (part > stream->held_bytes) part = stream->held_bytes;
    ssize_t written = write(stream->to_program, stream->held + stream->held_start, part);
    if (written < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (written < 0) {
      stop_taking(id);
      return;
    }
    stream->held_start = (stream->held_start + (uint32_t)written) % WINDOW_BYTES;
    stream->held_bytes -= (uint32_t)written;
    stream->taken += (uint32_t)written;
  }
  if (stream->taken >= WINDOW_BYTES / 2) {
    send_credit(id, stream->taken);
    stream->taken = 0;
  }
}

/* Standard input ends as a pipe ends; at a terminal the host types what ends it. */
static void end_input(unsigned id) {
  struct stream_state *stream = &streams[id];
  if (!stream->has_host_end || stream->held_bytes > 0 || stream->to_program < 0 || id != STREAM_STDIN) return;
  if (stream->to_program != terminal) close(stream->to_program);
  stream->to_program = -1;
}

static void fetch(unsigned id) {
  uint8_t *bytes = frame_payload();
  struct stream_state *stream = &streams[id];
  size_t most = stream->credit < FRAME_BYTES_MAX ? stream->credit : FRAME_BYTES_MAX;
  ssize_t got = read(stream->from_program, bytes, most);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got > 0) {
    stream->credit -= (uint32_t)got;
    send_frame(FRAME_DATA, id, bytes, (size_t)got);
    return;
  }
  /* A terminal that everybody left answers with an error where a pipe ends. */
  if (stream->from_program != stream->to_program && stream->from_program != terminal) close(stream->from_program);
  stream->from_program = -1;
  send_frame(FRAME_END, id, NULL, 0);
}

void streams_poll(int signal_fd, bool *has_signal, bool *has_message) {
  struct pollfd polled[2 * STREAMS] = {{.fd = channel_fd(), .events = POLLIN}, {.fd = signal_fd, .events = POLLIN}};
  for (unsigned id = 1; id < STREAMS; id++) {
    struct stream_state *stream = &streams[id];
    end_input(id);
    /* One that waits for nothing is left out: its hang-up would wake us for ever. */
    polled[2 * id].fd = stream->held_bytes > 0 ? stream->to_program : -1;
    polled[2 * id].events = POLLOUT;
    polled[2 * id + 1].fd = stream->credit > 0 ? stream->from_program : -1;
    polled[2 * id + 1].events = POLLIN;
  }
  if (poll(polled, sizeof polled / sizeof *polled, -1) < 0) return;
  *has_message = polled[0].revents != 0;
  *has_signal = polled[1].revents != 0;
  for (unsigned id = 1; id < STREAMS; id++) {
    if (polled[2 * id].revents != 0) give(id);
    if (polled[2 * id + 1].revents != 0 && streams[id].from_program >= 0) fetch(id);
  }
}

bool streams_are_drained(void) {
  for (unsigned id = 1; id < STREAMS; id++)
    if (streams[id].from_program >= 0) return false;
  return true;
}
