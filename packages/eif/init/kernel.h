// The kernel's constants and structures that this init uses: values of the uapi headers for x86_64 and aarch64.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { ENOENT = 2, EINTR = 4, ECHILD = 10, EAGAIN = 11, EBUSY = 16, EEXIST = 17 };

enum { AT_FDCWD = -100, O_RDONLY = 0, O_RDWR = 2, O_CLOEXEC = 02000000, F_GETFD = 1, SEEK_END = 2 };
enum { PROT_READ = 1, PROT_WRITE = 2, MAP_PRIVATE = 2, MAP_ANONYMOUS = 32 };

enum { MS_NOSUID = 2, MS_NODEV = 4, MS_NOEXEC = 8, MS_BIND = 4096, MS_MOVE = 8192, MS_REC = 16384 };

enum { SIGKILL = 9, SIGSEGV = 11, SIGTERM = 15, SIGCHLD = 17, LAST_SIGNAL = 64, SIG_SETMASK = 2, WNOHANG = 1 };

enum { AF_INET = 2, AF_VSOCK = 40, SOCK_STREAM = 1, SOCK_DGRAM = 2, SOCK_CLOEXEC = 02000000, SHUT_WR = 1 };
enum { SOL_SOCKET = 1, SO_RCVTIMEO = 20, SO_SNDTIMEO = 21 };
enum { SIOCGIFFLAGS = 0x8913, SIOCSIFFLAGS = 0x8914, IFF_UP = 1 };

enum { RLIMIT_NOFILE = 7, TCGETS = 0x5401, CLOCK_MONOTONIC = 1 };

/// "Restart" is how an enclave ends: the hypervisor takes it for the end of the enclave.
#define LINUX_REBOOT_MAGIC1 0xfee1deadu
#define LINUX_REBOOT_MAGIC2 672274793
#define LINUX_REBOOT_CMD_RESTART 0x01234567

/// _IOW('R', 3, int[2])
#define RNDADDENTROPY 0x40085203u
/// _IOWR(0x0A, 0, struct nsm_raw)
#define NSM_IOCTL_RAW 0xC0200A00u

struct timespec {
  int64_t seconds;
  int64_t nanoseconds;
};

struct timeval {
  int64_t seconds;
  int64_t microseconds;
};

struct rlimit {
  uint64_t soft;
  uint64_t hard;
};

struct sockaddr_vm {
  uint16_t family;
  uint16_t reserved;
  uint32_t port;
  uint32_t cid;
  uint8_t flags;
  uint8_t zero[3];
};

struct ifreq {
  char name[16];
  int16_t flags;
  char rest[22];
};

struct nsm_raw {
  const void *request;
  uint64_t request_length;
  void *response;
  uint64_t response_length;
};

struct rand_pool_info {
  int32_t entropy_bits;
  int32_t length;
  uint8_t bytes[256];
};
