// PID 1 of an enclave. The kernel has unpacked the ramdisks: /init (this), /boot.conf and /modules from the first,
// /app.conf and /rootfs from the second.
#include "application.h"
#include "console.h"
#include "kernel.h"
#include "machine.h"
#include "parent.h"
#include "syscall.h"
#include "text.h"

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n  xor %ebp, %ebp\n  and $-16, %rsp\n  call enclave_main\n");
#else
__asm__(".globl _start\n_start:\n  mov x29, #0\n  mov x30, #0\n  bl enclave_main\n");
#endif

static void say_end(int status) {
  struct line line = {{0}, 0};
  int signal = status & 0x7f;
  append(&line, signal == 0 ? "application ended with exit code " : "application ended by signal ");
  append_number(&line, signal == 0 ? (status >> 8) & 0xff : signal);
  say(line.text);
}

__attribute__((noreturn, used)) void enclave_main(void) {
  block_signals();
  syscall(SYS_umask, 022);
  mount_boot();
  open_console();

  struct records boot = read_records("/boot.conf");
  struct records app = read_records("/app.conf");
  syscall(SYS_unlinkat, AT_FDCWD, "/app.conf", 0);
  report_to_port(parse_number(value_of(&app, "exit-status-port", "")));
  load_modules(&boot);
  seed_entropy();
  bring_loopback_up();
  if (*value_of(&app, "heartbeat", "1") == '1') send_heartbeat();

  enter_rootfs();
  syscall(SYS_sethostname, "localhost", 9);
  mount_all(&app);
  int status = run_application(&app);
  say_end(status);
  report_exit(status);
  end_enclave();
}
