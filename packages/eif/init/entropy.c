#include "console.h"
#include "kernel.h"
#include "machine.h"
#include "nsm.h"
#include "syscall.h"
#include "text.h"

enum { RANDOM_BYTES = 256 };

/// CBOR: the text "GetRandom".
static const char REQUEST[] = "\x69GetRandom";
/// CBOR: { "GetRandom": { "random": bytes of two length octets } }.
static const char RESPONSE[] = "\xa1\x69GetRandom\xa1\x66random\x59\x01\x00";

static void add_entropy(const unsigned char *random) {
  struct rand_pool_info pool = {.entropy_bits = RANDOM_BYTES * 8, .length = RANDOM_BYTES};
  memcpy(pool.bytes, random, RANDOM_BYTES);
  long fd = syscall(SYS_openat, AT_FDCWD, "/dev/random", O_RDWR | O_CLOEXEC);
  if (fd < 0) end_with_error("entropy: open /dev/random", fd);
  long result = syscall(SYS_ioctl, fd, RNDADDENTROPY, &pool);
  if (result < 0) end_with_error("entropy: RNDADDENTROPY", result);
  syscall(SYS_close, fd);
  memset(&pool, 0, sizeof pool);
}

void seed_entropy(void) {
  unsigned char response[512];
  int is_open = 0;
  long length = request_nsm(REQUEST, sizeof REQUEST - 1, response, sizeof response, &is_open);
  if (!is_open) {
    say_error("entropy: no /dev/nsm, the random pool is the kernel's own", length);
    return;
  }
  if (length < 0) end_with_error("entropy: GetRandom of the NSM", length);
  size_t head = sizeof RESPONSE - 1;
  // Anything else would be counted as entropy that it is not.
  if (length != (long)head + RANDOM_BYTES || memcmp(response, RESPONSE, head) != 0) {
    end_with_error("entropy: expected 256 bytes of the NSM's GetRandom", 0);
  }
  add_entropy(response + head);
  memset(response, 0, sizeof response);
}
