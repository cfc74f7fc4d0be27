// The parent instance, over vsock: the heartbeat that its launcher waits for, and the application's end.
#pragma once

/// Sends 0xB7 to the parent's port 9000 and expects it back, as AWS's launcher wants it; ends the enclave otherwise.
void send_heartbeat(void);

/// Names the port of the parent that the report goes to; there is none otherwise.
void report_to_port(long port);

/// Sends `{"exitCode":N}` or `{"signal":N}` and a line feed, from a status as wait4 gives it.
void report_exit(int status);

/// Sends `{"error":"…"}` and a line feed.
void report_error(const char *text);
