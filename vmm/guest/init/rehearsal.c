/*
 * What programs do when they start, done once for nothing. An emulator translates what it has not run yet, and a machine that
 * waits for its program has the time for it. Nothing here matters for what it returns.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "init.h"

enum { PAGE_BYTES = 4096, HEAP_BYTES = 1 << 20 };

/* As a loader does with a program and its libraries. */
static void map_file(const char *path) {
  char head[PAGE_BYTES];
  struct stat found;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  if (read(file, head, sizeof head) > 0 && fstat(file, &found) == 0 && found.st_size > PAGE_BYTES) {
    size_t bytes = (size_t)found.st_size;
    volatile char *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    if (mapped != MAP_FAILED) {
      for (size_t at = 0; at < bytes; at += PAGE_BYTES) head[0] += mapped[at];
      mapped[0] = head[0];
      mprotect((void *)mapped, PAGE_BYTES, PROT_READ | PROT_EXEC);
      munmap((void *)mapped, bytes);
    }
  }
  close(file);
}

static void list_folder(const char *path) {
  DIR *folder = opendir(path);
  if (folder == NULL) return;
  struct stat found;
  for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
    fstatat(dirfd(folder), entry->d_name, &found, AT_SYMLINK_NOFOLLOW);
  closedir(folder);
}

static void use_memory(void) {
  char *heap = malloc(HEAP_BYTES);
  if (heap == NULL) return;
  for (size_t at = 0; at < HEAP_BYTES; at += PAGE_BYTES) ((volatile char *)heap)[at] = 1;
  free(heap);
}

static void write_file(const char *path) {
  int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return;
  if (write(file, path, 1) == 1) lseek(file, 0, SEEK_SET);
  close(file);
  unlink(path);
}

/* As a shell runs a program whose words it reads. */
static void run_child(void) {
  int ends[2];
  char word;
  if (pipe2(ends, O_CLOEXEC) != 0) return;
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 1);
    char *arguments[] = {"/proc/self/exe", "word", NULL};
    execve(arguments[0], arguments, arguments + 2);
    _exit(127);
  }
  close(ends[1]);
  while (child > 0 && read(ends[0], &word, 1) > 0) continue;
  close(ends[0]);
  if (child > 0) waitpid(child, NULL, 0);
}

int rehearse(bool is_word) {
  char drawn[16];
  struct utsname name;
  struct timespec now = {.tv_nsec = 1000};
  struct pollfd input = {.fd = 0, .events = POLLIN};
  if (write(1, "word\n", 5) < 0 || is_word) return 0;
  signal(SIGTERM, SIG_DFL);
  uname(&name);
  use_memory();
  map_file("/rehearsal");
  list_folder("/");
  list_folder("/proc/self/fd");
  write_file("/tmp/word");
  run_child();
  poll(&input, 1, 0);
  nanosleep(&now, NULL);
  close(open("/dev/null", O_RDWR));
  return getrandom(drawn, sizeof drawn, 0) > 0 && write(2, "word\n", 5) > 0 ? 0 : 1;
}
