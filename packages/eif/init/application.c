#include "application.h"

#include "console.h"
#include "kernel.h"
#include "syscall.h"
#include "text.h"

enum { MAX_GROUPS = 64, GRACE_SECONDS = 2, EXIT_NOT_FOUND = 127, EXIT_NOT_EXECUTABLE = 126 };
/// Node and servers raise their own limit up to the hard one; the kernel's 4096 is too few.
enum { SOFT_FILES = 1024, HARD_FILES = 524288 };

static void set_signal_mask(uint64_t mask) { syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, 0, sizeof mask); }

void block_signals(void) { set_signal_mask(~0UL); }

static long number_of(const struct records *records, const char *key) {
  long number = parse_number(value_of(records, key, "0"));
  if (number < 0) end_with_error(key, 0);
  return number;
}

static void child_must(const char *what, long result) {
  if (result >= 0) return;
  say_error(what, result);
  syscall(SYS_exit_group, EXIT_NOT_EXECUTABLE);
}

/// Programs reopen /dev/stdout, which is the console, and its owner is root.
static void give_console(long uid) {
  char settings[64];
  for (int fd = 0; fd < 3; fd += 1) {
    if (syscall(SYS_ioctl, fd, TCGETS, settings) >= 0) syscall(SYS_fchown, fd, uid, -1);
  }
}

static void become_user(const struct records *records) {
  long uid = number_of(records, "uid");
  uint32_t groups[MAX_GROUPS];
  size_t count = 0;
  char *group;
  for (size_t at = 0; (group = next_value(records, "group", &at)) != NULL && count < MAX_GROUPS;) {
    groups[count++] = (uint32_t)parse_number(group);
  }
  if (uid != 0) give_console(uid);
  child_must("setgroups", syscall(SYS_setgroups, count, groups));
  child_must("setgid", syscall(SYS_setgid, number_of(records, "gid")));
  child_must("setuid", syscall(SYS_setuid, uid));
}

__attribute__((noreturn)) static void become_application(const struct records *records) {
  char *path = value_of(records, "exec", "");
  char **arguments = values_of(records, "arg");
  char **environment = values_of(records, "env");
  struct rlimit files = {SOFT_FILES, HARD_FILES};
  syscall(SYS_setsid);
  syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &files, 0);
  child_must("working directory", syscall(SYS_chdir, value_of(records, "workdir", "/")));
  become_user(records);
  set_signal_mask(0);
  long result = syscall(SYS_execve, path, arguments, environment);
  say_error(path, result);
  syscall(SYS_exit_group, result == -ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
  __builtin_unreachable();
}

static int64_t now(void) {
  struct timespec time = {0, 0};
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &time);
  return time.seconds * 1000000000 + time.nanoseconds;
}

/// Reaps all that has ended. Returns -ECHILD when no process is left; sets *ended and *status when it was `child`.
static long reap(long child, int *ended, int *status) {
  for (;;) {
    int one = 0;
    long pid = syscall(SYS_wait4, -1, &one, WNOHANG, 0);
    if (pid == -EINTR) continue;
    if (pid <= 0) return pid;
    if (pid != child) continue;
    *ended = 1;
    *status = one;
  }
}

/// What the application left running gets SIGTERM, a little time, and SIGKILL.
static void end_the_rest(void) {
  int ended = 0;
  int status = 0;
  uint64_t child_signal = 1UL << (SIGCHLD - 1);
  int64_t deadline = now() + GRACE_SECONDS * 1000000000L;
  syscall(SYS_kill, -1, SIGTERM);
  while (reap(0, &ended, &status) != -ECHILD) {
    int64_t rest = deadline - now();
    if (rest <= 0) break;
    struct timespec wait = {rest / 1000000000, rest % 1000000000};
    syscall(SYS_rt_sigtimedwait, &child_signal, 0, &wait, sizeof child_signal);
  }
  syscall(SYS_kill, -1, SIGKILL);
}

int run_application(const struct records *records) {
  int ended = 0;
  int status = 0;
  long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child < 0) end_with_error("start the application", child);
  if (child == 0) become_application(records);
  while (reap(child, &ended, &status), !ended) {
    uint64_t every = ~0UL;
    long signal = syscall(SYS_rt_sigtimedwait, &every, 0, 0, sizeof every);
    if (signal > 0 && signal != SIGCHLD) syscall(SYS_kill, child, signal);
  }
  end_the_rest();
  return status;
}
