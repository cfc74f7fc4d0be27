#include "nsm.h"

#include "kernel.h"
#include "syscall.h"

long request_nsm(const void *request, size_t request_length, void *response, size_t capacity, int *is_open) {
  long fd = syscall(SYS_openat, AT_FDCWD, "/dev/nsm", O_RDWR | O_CLOEXEC);
  *is_open = fd >= 0;
  if (fd < 0) return fd;
  struct nsm_raw message = {request, request_length, response, capacity};
  long result = syscall(SYS_ioctl, fd, NSM_IOCTL_RAW, &message);
  syscall(SYS_close, fd);
  return result < 0 ? result : (long)message.response_length;
}
