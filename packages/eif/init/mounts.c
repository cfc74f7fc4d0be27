#include "console.h"
#include "kernel.h"
#include "machine.h"
#include "syscall.h"

struct mount_point {
  const char *type;
  const char *path;
  unsigned long flags;
  const char *options;
  /// Whether the enclave can do without.
  int optional;
};

static const struct mount_point BOOT[] = {
    {"devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=0755", 0},
    {"proc", "/proc", MS_NODEV | MS_NOSUID | MS_NOEXEC, "", 0},
};

static const struct mount_point ALL[] = {
    {"devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=0755", 0},
    {"proc", "/proc", MS_NODEV | MS_NOSUID | MS_NOEXEC, "", 0},
    {"sysfs", "/sys", MS_NODEV | MS_NOSUID | MS_NOEXEC, "", 0},
    {"devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,gid=5,mode=620,ptmxmode=666", 1},
    {"tmpfs", "/dev/shm", MS_NODEV | MS_NOSUID, "mode=1777", 0},
    {"cgroup2", "/sys/fs/cgroup", MS_NODEV | MS_NOSUID | MS_NOEXEC, "", 1},
};

static void mount_one(const struct mount_point *point) {
  syscall(SYS_mkdirat, AT_FDCWD, point->path, 0755);
  long result = syscall(SYS_mount, point->type, point->path, point->type, point->flags, point->options);
  if (result >= 0 || result == -EBUSY || point->optional) return; // EBUSY: the kernel has mounted devtmpfs by itself
  end_with_error(point->path, result);
}

void mount_boot(void) {
  for (size_t index = 0; index < sizeof BOOT / sizeof *BOOT; index += 1) mount_one(&BOOT[index]);
}

static void must(const char *what, long result) {
  if (result < 0) end_with_error(what, result);
}

void enter_rootfs(void) {
  // The initial root cannot be pivoted away from: the new one is moved over it instead.
  must("bind /rootfs", syscall(SYS_mount, "/rootfs", "/rootfs", 0, MS_BIND | MS_REC, 0));
  must("enter /rootfs", syscall(SYS_chdir, "/rootfs"));
  must("move /rootfs to /", syscall(SYS_mount, ".", "/", 0, MS_MOVE, 0));
  must("chroot", syscall(SYS_chroot, "."));
  must("enter /", syscall(SYS_chdir, "/"));
}

static void link_device(const char *target, const char *path) {
  long result = syscall(SYS_symlinkat, target, AT_FDCWD, path);
  if (result < 0 && result != -EEXIST) end_with_error(path, result);
}

static void mount_tmpfs(const struct records *records, const char *key, const char *options) {
  char *path;
  for (size_t at = 0; (path = next_value(records, key, &at)) != NULL;) {
    struct mount_point point = {"tmpfs", path, MS_NODEV | MS_NOSUID, options, 0};
    mount_one(&point);
  }
}

void mount_all(const struct records *records) {
  for (size_t index = 0; index < sizeof ALL / sizeof *ALL; index += 1) mount_one(&ALL[index]);
  link_device("/proc/self/fd", "/dev/fd");
  link_device("/proc/self/fd/0", "/dev/stdin");
  link_device("/proc/self/fd/1", "/dev/stdout");
  link_device("/proc/self/fd/2", "/dev/stderr");
  mount_tmpfs(records, "tmpfs-1777", "mode=1777");
  mount_tmpfs(records, "tmpfs-0755", "mode=0755");
}
