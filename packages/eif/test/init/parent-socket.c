// In the tests the parent is a folder of Unix sockets, one a port: /parent/9000.
#include "parent-socket.h"

#include "kernel.h"
#include "syscall.h"
#include "text.h"

struct sockaddr_un {
  uint16_t family;
  char path[108];
};

long connect_parent_socket(long port) {
  struct sockaddr_un address = {.family = 1};
  struct line path = {{0}, 0};
  append(&path, "/parent/");
  append_number(&path, port);
  memcpy(address.path, path.text, path.length);
  long fd = syscall(SYS_socket, 1, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fd;
  long result = syscall(SYS_connect, fd, &address, sizeof address);
  if (result < 0) syscall(SYS_close, fd);
  return result < 0 ? result : fd;
}
