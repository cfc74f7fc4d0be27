// The floor: what a C program does over AF_VSOCK with plain blocking calls.
//   vsock-peer sink PORT          takes what comes until the end, then answers with one byte
//   vsock-peer echo PORT          gives back whatever comes
//   vsock-peer send PORT MEBIBYTES   writes 64 KiB at a time, waits for the byte; prints nanoseconds
//   vsock-peer ping PORT COUNT       one byte there and back, COUNT times; prints nanoseconds
// All on the kernel's own loopback, CID 1.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

enum { BLOCK_SIZE = 64 * 1024, BLOCKS_PER_MEBIBYTE = 16 };

static char block[BLOCK_SIZE];

static void must(int holds, const char *what) {
  if (holds) return;
  perror(what);
  exit(1);
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000ll + time.tv_nsec;
}

static void write_all(int fd, const char *bytes, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t count = write(fd, bytes + done, size - done);
    must(count > 0, "write");
    done += count;
  }
}

static int open_socket(unsigned cid, unsigned port, struct sockaddr_vm *address) {
  *address = (struct sockaddr_vm){.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
  int fd = socket(AF_VSOCK, SOCK_STREAM, 0);
  must(fd >= 0, "socket");
  return fd;
}

static int dial(unsigned port) {
  struct sockaddr_vm address;
  int fd = open_socket(VMADDR_CID_LOCAL, port, &address);
  must(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connect");
  return fd;
}

static void sink(int fd) {
  while (read(fd, block, sizeof block) > 0) continue;
  write_all(fd, "x", 1);
}

static void echo(int fd) {
  ssize_t count;
  while ((count = read(fd, block, sizeof block)) > 0) write_all(fd, block, count);
}

static void serve(unsigned port, void (*service)(int)) {
  struct sockaddr_vm address;
  int listener = open_socket(VMADDR_CID_ANY, port, &address);
  must(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
  must(listen(listener, 8) == 0, "listen");
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    must(fd >= 0, "accept");
    service(fd);
    close(fd);
  }
}

static void send_blocks(unsigned port, long mebibytes) {
  int fd = dial(port);
  int64_t start = now();
  for (long left = mebibytes * BLOCKS_PER_MEBIBYTE; left > 0; left--) write_all(fd, block, sizeof block);
  shutdown(fd, SHUT_WR);
  must(read(fd, block, 1) == 1, "answer");
  printf("%lld\n", (long long)(now() - start));
}

static void ping(unsigned port, long count) {
  int fd = dial(port);
  int64_t start = now();
  for (long left = count; left > 0; left--) {
    write_all(fd, "x", 1);
    must(read(fd, block, 1) == 1, "answer");
  }
  printf("%lld\n", (long long)(now() - start));
}

int main(int argc, char **argv) {
  must(argc >= 3, "usage: vsock-peer sink|echo|send|ping PORT [COUNT]");
  unsigned port = strtoul(argv[2], NULL, 10);
  long count = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
  if (strcmp(argv[1], "sink") == 0) serve(port, sink);
  if (strcmp(argv[1], "echo") == 0) serve(port, echo);
  if (strcmp(argv[1], "send") == 0) send_blocks(port, count);
  if (strcmp(argv[1], "ping") == 0) ping(port, count);
  return 0;
}
