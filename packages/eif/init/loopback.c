#include "console.h"
#include "kernel.h"
#include "machine.h"
#include "syscall.h"

void bring_loopback_up(void) {
  long fd = syscall(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request = {.name = "lo"};
  long result = fd < 0 ? fd : syscall(SYS_ioctl, fd, SIOCGIFFLAGS, &request);
  if (result >= 0) {
    request.flags |= IFF_UP;
    result = syscall(SYS_ioctl, fd, SIOCSIFFLAGS, &request);
  }
  // A kernel without IPv4 is a choice of who made it: the application may not need 127.0.0.1.
  if (result < 0) say_error("loopback: lo stays down", result);
  if (fd >= 0) syscall(SYS_close, fd);
}
