// What the machine needs before the application can run.
#pragma once

#include "records.h"

/// Loads the modules that the records name, in order, and removes their files, which take memory.
void load_modules(const struct records *records);

/// Mixes 256 bytes of the Nitro Secure Module into the kernel's random pool, and counts them as entropy.
void seed_entropy(void);

/// Brings the loopback interface up; the kernel then gives it 127.0.0.1 and ::1.
void bring_loopback_up(void);

/// The file systems of the boot ramdisk: /dev and /proc.
void mount_boot(void);

/// Makes /rootfs the root.
void enter_rootfs(void);

/// The file systems that a program expects, and those that the records name (`tmpfs-1777=/tmp`, `tmpfs-0755=/run`).
void mount_all(const struct records *records);
