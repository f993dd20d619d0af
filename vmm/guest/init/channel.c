/* Frames to and from the host over one descriptor. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "init.h"

static int fd = -1;
static uint8_t held[HEAD_BYTES + FRAME_BYTES_MAX];
static size_t held_bytes;
static bool has_met_host;
static bool is_silent;

static uint32_t read32(const uint8_t *at) {
  return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

void channel_open(int channel) { fd = channel; }

int channel_fd(void) { return fd; }

void channel_mute(bool is_muted) { is_silent = is_muted; }

static void wait_for(short events) {
  struct pollfd one = {.fd = fd, .events = events};
  poll(&one, 1, -1);
  /* A port that nobody holds on the other side yet hangs up at once. */
  if ((one.revents & (POLLHUP | events)) == POLLHUP) usleep(1000);
}

void channel_wait(void) { wait_for(POLLIN); }

/* The host always reads, so this waits for no one but the machine below us. */
static void write_all(const uint8_t *bytes, size_t length) {
  while (length > 0) {
    ssize_t written = write(fd, bytes, length);
    if (written > 0) {
      bytes += written;
      length -= (size_t)written;
    } else if (errno == EAGAIN) {
      wait_for(POLLOUT);
    } else if (errno != EINTR) {
      halt();
    }
  }
}

/* One buffer and one write: each write is a trip out of the machine. */
static uint8_t frame[HEAD_BYTES + FRAME_BYTES_MAX];

uint8_t *frame_payload(void) { return frame + HEAD_BYTES; }

void send_frame(enum frame type, unsigned stream, const void *payload, size_t length) {
  if (is_silent) return;
  frame[0] = (uint8_t)type;
  frame[1] = 0;
  frame[2] = (uint8_t)stream;
  frame[3] = (uint8_t)(stream >> 8);
  for (int i = 0; i < 4; i++) frame[4 + i] = (uint8_t)(length >> (8 * i));
  if (length > 0 && payload != frame + HEAD_BYTES) memcpy(frame + HEAD_BYTES, payload, length);
  write_all(frame, HEAD_BYTES + length);
}

void fail(enum step step) {
  uint32_t number = (uint32_t)errno;
  uint8_t payload[5] = {(uint8_t)step, (uint8_t)number, (uint8_t)(number >> 8), (uint8_t)(number >> 16),
                        (uint8_t)(number >> 24)};
  is_silent = false;
  send_frame(FRAME_FAILED, 0, payload, sizeof payload);
  halt();
}

void channel_read(void (*take)(unsigned, unsigned, const uint8_t *, size_t)) {
  ssize_t got = read(fd, held + held_bytes, sizeof held - held_bytes);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got == 0 && !has_met_host) return;
  if (got <= 0) halt();
  has_met_host = true;
  held_bytes += (size_t)got;
  size_t at = 0;
  while (held_bytes - at >= HEAD_BYTES) {
    size_t length = read32(held + at + 4);
    if (length > FRAME_BYTES_MAX) halt();
    if (held_bytes - at < HEAD_BYTES + length) break;
    take(held[at], held[at + 2] | (unsigned)held[at + 3] << 8, held + at + HEAD_BYTES, length);
    at += HEAD_BYTES + length;
  }
  memmove(held, held + at, held_bytes - at);
  held_bytes -= at;
}
