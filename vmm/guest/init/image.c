/* Reads of the image what a program may want first. Nothing of it is looked at, and nothing of it is run. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"

enum { IMAGE_BYTES_MAX = 16 << 20, FILE_BYTES_MAX = 8 << 20, ENTRIES_MAX = 4096, DEPTH_MAX = 16 };

/* What may still be read, and of which file system. */
struct allowance {
  size_t bytes;
  unsigned entries;
  dev_t device;
};

static void read_file(int file, struct allowance *left) {
  uint8_t *bytes = frame_payload();
  for (size_t got = 0; got < FILE_BYTES_MAX && left->bytes > 0;) {
    size_t most = left->bytes < FRAME_BYTES_MAX ? left->bytes : FRAME_BYTES_MAX;
    ssize_t part = read(file, bytes, most);
    if (part <= 0) return;
    got += (size_t)part;
    left->bytes -= (size_t)part;
  }
}

/* Takes `folder`. Whatever cannot be read is left to the program. */
static void read_folder(int folder, unsigned depth, struct allowance *left) {
  DIR *entries = fdopendir(folder);
  if (entries == NULL) {
    close(folder);
    return;
  }
  for (struct dirent *entry = readdir(entries); entry != NULL && left->bytes > 0 && left->entries > 0; entry = readdir(entries)) {
    left->entries--;
    bool is_folder = entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (!is_folder && entry->d_type != DT_REG) continue;
    /* What an entry says that it is may be a lie: opening a pipe, or reading one, would wait for ever. */
    int opened = openat(folder, entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    struct stat found;
    if (opened < 0) continue;
    /* A program's /dev, /proc and /tmp are of other file systems. */
    bool is_ours = fstat(opened, &found) == 0 && found.st_dev == left->device;
    if (is_ours && is_folder && S_ISDIR(found.st_mode) && depth < DEPTH_MAX) {
      read_folder(opened, depth + 1, left);
      continue;
    }
    if (is_ours && !is_folder && S_ISREG(found.st_mode)) read_file(opened, left);
    close(opened);
  }
  closedir(entries);
}

void read_image(void) {
  struct allowance left = {.bytes = IMAGE_BYTES_MAX, .entries = ENTRIES_MAX};
  struct stat found;
  int root = open("/program", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (root < 0 || fstat(root, &found) != 0) fail(STEP_ROOT);
  left.device = found.st_dev;
  read_folder(root, 0, &left);
}
