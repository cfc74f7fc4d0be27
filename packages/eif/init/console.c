#include "console.h"

#include "kernel.h"
#include "parent.h"
#include "syscall.h"
#include "text.h"

void open_console(void) {
  if (syscall(SYS_fcntl, 1, F_GETFD) >= 0) return;
  long fd = syscall(SYS_openat, AT_FDCWD, "/dev/console", O_RDWR);
  if (fd < 0) return;
  for (int target = 0; target < 3; target += 1) {
    if (fd != target) syscall(SYS_dup3, fd, target, 0);
  }
  if (fd > 2) syscall(SYS_close, fd);
}

void say(const char *text) {
  struct line line = {{0}, 0};
  append(&line, "[enclave-init] ");
  append(&line, text);
  append(&line, "\n");
  syscall(SYS_write, 2, line.text, line.length);
}

static struct line describe(const char *what, long error) {
  struct line line = {{0}, 0};
  append(&line, what);
  if (error != 0) {
    append(&line, ": error ");
    append_number(&line, -error);
  }
  return line;
}

void say_error(const char *what, long error) {
  struct line line = describe(what, error);
  say(line.text);
}

void end_with_error(const char *what, long error) {
  struct line line = describe(what, error);
  say(line.text);
  report_error(line.text);
  end_enclave();
}

void end_enclave(void) {
  syscall(SYS_sync);
  syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_RESTART, 0);
  syscall(SYS_exit_group, 1); // reached only where a restart is not allowed: the kernel panics, which ends the enclave too
  __builtin_unreachable();
}
