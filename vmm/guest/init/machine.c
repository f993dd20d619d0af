/* The machine around the program: file systems, modules, the device to the host, seed and time. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "init.h"

/* From the kernel's headers (linux/random.h, linux/vm_sockets.h), which not every C library brings. */
#define RNDADDENTROPY _IOW('R', 0x03, int[2])
#define RNDRESEEDCRNG _IO('R', 0x07)
#define VMADDR_CID_HOST 2
struct sockaddr_vm {
  unsigned short family, reserved;
  unsigned int port, cid;
  unsigned char flags, zero[3];
};

/* More than there are; the kernel says where they end. */
enum { CAPABILITIES_MAX = 64 };
enum { DEVICE_WAIT_MS = 5000, TEXT_BYTES_MAX = 4096, NAME_BYTES_MAX = 128 };

void halt(void) {
  /* The monitor ends with its machine; on one that does not, the host ends the monitor. */
  reboot(RB_AUTOBOOT);
  for (;;) pause();
}

static void make_mount(const char *source, const char *target, const char *type, unsigned long flags,
                       const char *options) {
  mkdir(target, 0755);
  mount(source, target, type, flags, options);
}

void mount_basics(void) {
  make_mount("dev", "/dev", "devtmpfs", MS_NOSUID | MS_NOEXEC, "");
  make_mount("pts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "ptmxmode=0666");
  make_mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "");
  make_mount("sys", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "");
}

void bind_children(void) {
  for (int capability = 0; capability < CAPABILITIES_MAX; capability++)
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EINVAL) fail(STEP_PROGRAM);
  if (setgroups(0, NULL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail(STEP_PROGRAM);
  umask(022);
}

static bool read_text(const char *path, char *text) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  ssize_t length = read(file, text, TEXT_BYTES_MAX - 1);
  close(file);
  if (length < 0) return false;
  text[length] = 0;
  return true;
}

static void write_text(const char *path, const char *text) {
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  /* It is only slower when the kernel does not take it. */
  if (write(file, text, strlen(text)) < 0) fprintf(stderr, "init: %s: %s\n", path, strerror(errno));
  close(file);
}

void simplify_disk(void) {
  write_text("/sys/block/vda/queue/scheduler", "none");
  write_text("/sys/block/vda/queue/wbt_lat_usec", "0");
  write_text("/sys/block/vda/queue/iostats", "0");
  write_text("/sys/block/vda/queue/nomerges", "2");
}

/* The value of `elastos.channel=` of the kernel's command line: `port:NAME`, `vsock:PORT` or `console:DEVICE`. */
static void channel_name(char *name, size_t bytes_max) {
  static const char key[] = "elastos.channel=";
  char line[TEXT_BYTES_MAX];
  name[0] = 0;
  if (!read_text("/proc/cmdline", line)) return;
  for (char *word = strtok(line, " \n"); word != NULL; word = strtok(NULL, " \n"))
    if (strncmp(word, key, sizeof key - 1) == 0) snprintf(name, bytes_max, "%s", word + sizeof key - 1);
}

/* Those that this kind of channel, the disks and the image need, in the order of their list. */
void load_modules(void) {
  char list[TEXT_BYTES_MAX], path[256], kind[NAME_BYTES_MAX];
  channel_name(kind, sizeof kind);
  kind[strcspn(kind, ":")] = 0;
  snprintf(path, sizeof path, "/modules/%s", kind);
  if (!read_text(path, list)) return;
  for (char *name = strtok(list, "\n"); name != NULL; name = strtok(NULL, "\n")) {
    snprintf(path, sizeof path, "/modules/%s", name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || (syscall(SYS_finit_module, file, "", 0) != 0 && errno != EEXIST))
      fprintf(stderr, "init: module %s: %s\n", name, strerror(errno));
    if (file >= 0) close(file);
  }
}

/* A port of virtio-serial by the name its monitor gave it. */
static int open_port(const char *name) {
  DIR *ports = opendir("/sys/class/virtio-ports");
  if (ports == NULL) return -1;
  char path[300], text[TEXT_BYTES_MAX];
  int port = -1;
  for (struct dirent *entry = readdir(ports); entry != NULL && port < 0; entry = readdir(ports)) {
    snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", entry->d_name);
    if (entry->d_name[0] == '.' || !read_text(path, text)) continue;
    text[strcspn(text, "\n")] = 0;
    if (strcmp(text, name) != 0) continue;
    snprintf(path, sizeof path, "/dev/%s", entry->d_name);
    port = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  }
  closedir(ports);
  return port;
}

static int open_vsock(unsigned number) {
  struct sockaddr_vm host = {.family = AF_VSOCK, .cid = VMADDR_CID_HOST, .port = number};
  int channel = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (channel < 0) return -1;
  if (connect(channel, (struct sockaddr *)&host, sizeof host) == 0) {
    fcntl(channel, F_SETFL, O_NONBLOCK);
    return channel;
  }
  close(channel);
  return -1;
}

static int open_console(const char *path) {
  int channel = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  struct termios raw;
  if (channel < 0 || tcgetattr(channel, &raw) != 0) return channel;
  cfmakeraw(&raw);
  tcsetattr(channel, TCSANOW, &raw);
  return channel;
}

int open_channel_device(void) {
  char name[NAME_BYTES_MAX];
  channel_name(name, sizeof name);
  for (int waited = 0; waited < DEVICE_WAIT_MS; waited++) {
    int channel = -1;
    if (strncmp(name, "port:", 5) == 0) channel = open_port(name + 5);
    else if (strncmp(name, "vsock:", 6) == 0) channel = open_vsock((unsigned)strtoul(name + 6, NULL, 10));
    else if (strncmp(name, "console:", 8) == 0) channel = open_console(name + 8);
    if (channel >= 0) return channel;
    usleep(1000);
  }
  fprintf(stderr, "init: no channel '%s' to the host\n", name);
  halt();
}

static int generator = -1;

static bool seed_generator(const uint8_t *seed) {
  struct {
    int bits, bytes;
    uint8_t seed[SEED_BYTES];
  } pool = {.bits = SEED_BYTES * 8, .bytes = SEED_BYTES};
  memcpy(pool.seed, seed, SEED_BYTES);
  if (generator < 0) generator = open("/dev/urandom", O_RDWR | O_CLOEXEC);
  /* Added and then taken up at once: what a snapshot of us would have drawn next is never drawn. */
  bool is_taken = generator >= 0 && ioctl(generator, RNDADDENTROPY, &pool) == 0 && ioctl(generator, RNDRESEEDCRNG) == 0;
  explicit_bzero(&pool, sizeof pool);
  return is_taken;
}

void wake_generator(void) {
  static const uint8_t nothing[SEED_BYTES];
  seed_generator(nothing);
}

void take_seed(const uint8_t *seed) {
  if (!seed_generator(seed)) fail(STEP_SEED);
}

void set_time(uint64_t now_ms) {
  struct timespec now = {.tv_sec = (time_t)(now_ms / 1000), .tv_nsec = (long)(now_ms % 1000) * 1000000};
  if (clock_settime(CLOCK_REALTIME, &now) != 0) fail(STEP_TIME);
}

static void make_device(const char *path, unsigned major_number, unsigned minor_number) {
  if (mknod(path, S_IFCHR | 0666, makedev(major_number, minor_number)) != 0) fail(STEP_ROOT);
  chmod(path, 0666);
}

static void move_mount_to(const char *source, const char *target) {
  if (mount(source, target, NULL, MS_MOVE, NULL) != 0) fail(STEP_ROOT);
}

void prepare_root(void) {
  mkdir("/parts", 0755);
  make_mount("dev", "/parts/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "size=64k,mode=0755");
  make_device("/parts/dev/null", 1, 3);
  make_device("/parts/dev/zero", 1, 5);
  make_device("/parts/dev/full", 1, 7);
  make_device("/parts/dev/random", 1, 8);
  make_device("/parts/dev/urandom", 1, 9);
  make_device("/parts/dev/tty", 5, 0);
  make_mount("pts", "/parts/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "ptmxmode=0666");
  make_mount("proc", "/parts/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=2");
  make_mount("tmp", "/parts/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=50%,mode=1777");
  mkdir("/program", 0755);
  if (symlink("pts/ptmx", "/parts/dev/ptmx") != 0 || symlink("/proc/self/fd", "/parts/dev/fd") != 0) fail(STEP_ROOT);
}

static bool is_mounted;

/* What a program sees: its image, a few devices, a folder for what it forgets. None of the machine's own devices. */
void mount_root(void) {
  if (is_mounted) return;
  for (int waited = 0; mount("/dev/vda", "/program", "erofs", MS_NOSUID | MS_NODEV | MS_RDONLY, "") != 0; waited++) {
    /* The disk may come a moment later than we do. */
    if ((errno != ENOENT && errno != ENXIO) || waited >= DEVICE_WAIT_MS) fail(STEP_ROOT);
    usleep(1000);
  }
  move_mount_to("/parts/dev", "/program/dev");
  move_mount_to("/parts/proc", "/program/proc");
  move_mount_to("/parts/tmp", "/program/tmp");
  is_mounted = true;
}

/*
 * One by one: a file system that somebody still has would be kept with what was read of it, and the next disk would be taken for
 * the same.
 */
void unmount_root(void) {
  static const char *const places[] = {"/program/tmp", "/program/proc", "/program/dev/pts", "/program/dev", "/program"};
  for (size_t i = 0; i < sizeof places / sizeof *places; i++)
    if (umount2(places[i], 0) != 0) fail(STEP_ROOT);
  is_mounted = false;
}
