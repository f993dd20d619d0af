/* What the parts of init share. The wire format is docs/protocols/vm-channel.md. */
#ifndef ELASTOS_INIT_H
#define ELASTOS_INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
  VERSION = 1,
  /* As 1, and a start message may ask for another one after it. */
  VERSION_AGAIN = 2,
  /* As 2, and the image may be mounted before the start message. */
  VERSION_MOUNT = 3,
  FRAME_BYTES_MAX = 65536,
  HEAD_BYTES = 8,
  WINDOW_BYTES = 262144,
  SEED_BYTES = 64,
  STRINGS_MAX = 512
};

enum frame {
  FRAME_START = 1,
  FRAME_SIGNAL = 2,
  FRAME_RESIZE = 3,
  FRAME_MOUNT = 4,
  FRAME_HELLO = 16,
  FRAME_RUNNING = 17,
  FRAME_EXIT = 18,
  FRAME_FAILED = 19,
  FRAME_DATA = 32,
  FRAME_CREDIT = 33,
  FRAME_END = 34,
  FRAME_CLOSE = 35
};

enum stream { STREAM_STDIN = 1, STREAM_STDOUT = 2, STREAM_STDERR = 3, STREAM_CHANNEL = 4, STREAMS = 5 };

/* What init was doing when it failed, in the order of the host's words for it. */
enum step { STEP_START, STEP_ROOT, STEP_TERMINAL, STEP_PIPES, STEP_PROGRAM, STEP_TIME, STEP_SEED };

/* What the host asked to be run. Strings point into the message, or are literals. */
struct start {
  const uint8_t *seed;
  uint64_t now_ms;
  uint32_t user;
  /* Whether this is not the last one: nothing of it goes to the host, and nothing of it is left. */
  bool is_rehearsal;
  bool has_terminal;
  uint16_t columns, rows;
  const char *folder;
  char *environment[STRINGS_MAX + 1];
  char *arguments[STRINGS_MAX + 1];
};

/* The program that runs, with our ends of its pipes; -1 where there is none. */
struct program {
  pid_t pid;
  int stdin_fd, stdout_fd, stderr_fd, channel_fd;
};

/* channel.c */
void channel_open(int fd);
void send_frame(enum frame type, unsigned stream, const void *payload, size_t length);
/* Whether frames are sent at all, but for a failure. */
void channel_mute(bool is_muted);
/* Where the payload of the next frame may be made, so that it need not be copied there. */
uint8_t *frame_payload(void);
/* Reads what has come and hands whole frames to `take`; ends the machine when the host is gone. */
void channel_read(void (*take)(unsigned type, unsigned stream, const uint8_t *payload, size_t length));
int channel_fd(void);
/* Waits until the host spoke. */
void channel_wait(void);
_Noreturn void fail(enum step step);

/* machine.c */
void mount_basics(void);
/* Has what is read of the disk asked for at once: there is nobody else whose requests could be put in order with ours. */
void simplify_disk(void);
/* Gives up, once for all programs, what none of them may ever get: what starts from us has no more than we may pass on. */
void bind_children(void);
void load_modules(void);
int open_channel_device(void);
/*
 * Lets the kernel believe in its random numbers before anybody draws one, so that it does not look for chance itself when the
 * program waits for it. Who draws does so after `take_seed`.
 */
void wake_generator(void);
void take_seed(const uint8_t *seed);
void set_time(uint64_t now_ms);
/* Mounts what a program sees beside its image, aside: what is done before the start message need not be done after it. */
void prepare_root(void);
/* Once: what was mounted before the start message is not mounted again. */
void mount_root(void);
void unmount_root(void);
_Noreturn void halt(void);

/* image.c */
/* Has the kernel keep the first of what is in the image, so that whoever goes on from here need not read it. */
void read_image(void);

/* start.c */
/* Its strings stay until the next one. */
bool parse_start(const uint8_t *payload, size_t length, struct start *start);
/* Opens the pipes of a program before it is known. */
void prepare_streams(void);
/* Closes those that no program got. */
void close_unused_streams(void);
/* Starts a child that waits to become the program of this user, with all but its words done. */
void prepare_child(uint32_t user);
void start_program(const struct start *start, struct program *program);

/* streams.c */
/* Makes an end of ours one that nobody waits for, and a pipe as large as the window. */
void unblock(int fd);
void streams_open(const struct program *program);
void streams_take(unsigned type, unsigned stream, const uint8_t *payload, size_t length);
/* Waits until something can be done, moves what bytes it can; says whether a signal waits or the host spoke. */
void streams_poll(int signal_fd, bool *has_signal, bool *has_message);
/* Whether the program wrote all it ever will and the host has it. */
bool streams_are_drained(void);
/* Lets go of all of them, as if there had been no program. */
void streams_close(void);
void terminal_resize(uint16_t columns, uint16_t rows);

/* rehearsal.c: the program of a rehearsal, or the word that it runs. */
int rehearse(bool is_word);

#endif
