// System calls of Linux on x86_64 and aarch64, without a C library.
#pragma once

#if defined(__x86_64__)
#define SYS_read 0
#define SYS_write 1
#define SYS_close 3
#define SYS_lseek 8
#define SYS_mmap 9
#define SYS_rt_sigprocmask 14
#define SYS_ioctl 16
#define SYS_socket 41
#define SYS_connect 42
#define SYS_shutdown 48
#define SYS_setsockopt 54
#define SYS_clone 56
#define SYS_execve 59
#define SYS_wait4 61
#define SYS_kill 62
#define SYS_fcntl 72
#define SYS_chdir 80
#define SYS_fchown 93
#define SYS_umask 95
#define SYS_setuid 105
#define SYS_setgid 106
#define SYS_setsid 112
#define SYS_setgroups 116
#define SYS_rt_sigtimedwait 128
#define SYS_chroot 161
#define SYS_sync 162
#define SYS_mount 165
#define SYS_reboot 169
#define SYS_sethostname 170
#define SYS_clock_gettime 228
#define SYS_exit_group 231
#define SYS_openat 257
#define SYS_mkdirat 258
#define SYS_unlinkat 263
#define SYS_symlinkat 266
#define SYS_dup3 292
#define SYS_prlimit64 302
#define SYS_finit_module 313
#elif defined(__aarch64__)
#define SYS_dup3 24
#define SYS_fcntl 25
#define SYS_ioctl 29
#define SYS_mkdirat 34
#define SYS_unlinkat 35
#define SYS_symlinkat 36
#define SYS_mount 40
#define SYS_chdir 49
#define SYS_chroot 51
#define SYS_fchown 55
#define SYS_openat 56
#define SYS_close 57
#define SYS_lseek 62
#define SYS_read 63
#define SYS_write 64
#define SYS_sync 81
#define SYS_exit_group 94
#define SYS_clock_gettime 113
#define SYS_kill 129
#define SYS_rt_sigprocmask 135
#define SYS_rt_sigtimedwait 137
#define SYS_reboot 142
#define SYS_setgid 144
#define SYS_setuid 146
#define SYS_setsid 157
#define SYS_setgroups 159
#define SYS_sethostname 161
#define SYS_umask 166
#define SYS_socket 198
#define SYS_connect 203
#define SYS_setsockopt 208
#define SYS_shutdown 210
#define SYS_clone 220
#define SYS_execve 221
#define SYS_mmap 222
#define SYS_wait4 260
#define SYS_prlimit64 261
#define SYS_finit_module 273
#else
#error "expected x86_64 or aarch64"
#endif

/// Result of the call: negative values are the error number, negated.
static inline long syscall6(long number, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__)
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
#else
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
#endif
}

#define SYSCALL_PICK(_0, _1, _2, _3, _4, _5, _6, NAME, ...) NAME
#define SYSCALL0(n) syscall6(n, 0, 0, 0, 0, 0, 0)
#define SYSCALL1(n, a) syscall6(n, (long)(a), 0, 0, 0, 0, 0)
#define SYSCALL2(n, a, b) syscall6(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYSCALL3(n, a, b, c) syscall6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYSCALL4(n, a, b, c, d) syscall6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYSCALL5(n, a, b, c, d, e) syscall6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SYSCALL6(n, a, b, c, d, e, f) syscall6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
/// `syscall(SYS_read, fd, bytes, length)`: any number of arguments, up to six.
#define syscall(...) \
  SYSCALL_PICK(__VA_ARGS__, SYSCALL6, SYSCALL5, SYSCALL4, SYSCALL3, SYSCALL2, SYSCALL1, SYSCALL0)(__VA_ARGS__)
