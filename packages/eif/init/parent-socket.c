#include "parent-socket.h"

#include "kernel.h"
#include "syscall.h"

/// The parent's context identifier, as every enclave sees it.
enum { PARENT_CID = 3 };

long connect_parent_socket(long port) {
  struct sockaddr_vm address = {.family = AF_VSOCK, .port = (uint32_t)port, .cid = PARENT_CID};
  long fd = syscall(SYS_socket, AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fd;
  long result = syscall(SYS_connect, fd, &address, sizeof address);
  if (result < 0) syscall(SYS_close, fd);
  return result < 0 ? result : fd;
}
