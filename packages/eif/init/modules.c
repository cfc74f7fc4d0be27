#include "console.h"
#include "kernel.h"
#include "machine.h"
#include "syscall.h"

static void load(const char *path) {
  long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) end_with_error(path, fd);
  long result = syscall(SYS_finit_module, fd, "", 0);
  if (result < 0 && result != -EEXIST) end_with_error(path, result); // EEXIST: the kernel has it built in or loaded
  syscall(SYS_close, fd);
  syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

void load_modules(const struct records *records) {
  char *path;
  for (size_t at = 0; (path = next_value(records, "module", &at)) != NULL;) load(path);
}
