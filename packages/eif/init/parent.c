#include "parent.h"

#include "console.h"
#include "kernel.h"
#include "parent-socket.h"
#include "syscall.h"
#include "text.h"

enum { HEARTBEAT_PORT = 9000, HEARTBEAT = 0xB7, HEARTBEAT_SECONDS = 30, REPORT_SECONDS = 5 };

static long report_port = -1;

static long connect_parent(long port, int seconds) {
  long fd = connect_parent_socket(port);
  if (fd < 0) return fd;
  struct timeval limit = {seconds, 0};
  syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  return fd;
}

void send_heartbeat(void) {
  long fd = connect_parent(HEARTBEAT_PORT, HEARTBEAT_SECONDS);
  if (fd < 0) end_with_error("heartbeat: connect to the parent's port 9000", fd);
  unsigned char byte = HEARTBEAT;
  long count = syscall(SYS_write, fd, &byte, 1);
  if (count != 1) end_with_error("heartbeat: write", count);
  byte = 0;
  count = syscall(SYS_read, fd, &byte, 1);
  if (count != 1) end_with_error("heartbeat: read", count);
  if (byte != HEARTBEAT) end_with_error("heartbeat: expected 0xB7 back, found another byte", 0);
  syscall(SYS_close, fd);
}

void report_to_port(long port) { report_port = port; }

/// Writes the line, and waits until the parent has closed: the enclave's end would cut it off.
static void report(const struct line *line) {
  if (report_port < 0) return;
  long port = report_port;
  report_port = -1; // one report only, and none about a failing report
  long fd = connect_parent(port, REPORT_SECONDS);
  if (fd < 0) {
    say_error("exit status: connect to the parent", fd);
    return;
  }
  long count = syscall(SYS_write, fd, line->text, line->length);
  if (count != (long)line->length) say_error("exit status: write", count);
  syscall(SYS_shutdown, fd, SHUT_WR);
  char rest[16];
  while (syscall(SYS_read, fd, rest, sizeof rest) > 0) continue;
  syscall(SYS_close, fd);
}

void report_exit(int status) {
  struct line line = {{0}, 0};
  int signal = status & 0x7f;
  append(&line, signal == 0 ? "{\"exitCode\":" : "{\"signal\":");
  append_number(&line, signal == 0 ? (status >> 8) & 0xff : signal);
  append(&line, "}\n");
  report(&line);
}

void report_error(const char *text) {
  struct line line = {{0}, 0};
  append(&line, "{\"error\":\"");
  for (; *text != '\0' && line.length + 4 < sizeof line.text; text += 1) {
    // Names of files may hold anything: what JSON would have to escape becomes a question mark.
    char one[2] = {*text < ' ' || *text > '~' || *text == '"' || *text == '\\' ? '?' : *text, '\0'};
    append(&line, one);
  }
  append(&line, "\"}\n");
  report(&line);
}
