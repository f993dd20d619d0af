/* Shows the random bytes that a process is born with, and those it draws: AT_RANDOM, getrandom, /dev/urandom. */
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <unistd.h>

enum { BYTES = 65536 };

static int put(const void *bytes, size_t length) { return write(1, bytes, length) == (ssize_t)length; }

int main(void) {
  static unsigned char drawn[256];
  if (!put((const void *)getauxval(AT_RANDOM), 16)) return 1;
  for (int done = 0; done < BYTES; done += (int)sizeof drawn)
    if (getrandom(drawn, sizeof drawn, 0) != sizeof drawn || !put(drawn, sizeof drawn)) return 2;
  int device = open("/dev/urandom", O_RDONLY);
  for (int done = 0; done < BYTES; done += (int)sizeof drawn)
    if (read(device, drawn, sizeof drawn) != sizeof drawn || !put(drawn, sizeof drawn)) return 3;
  return 0;
}
