// What this init tells a person (the console, readable in debug mode only) and how it gives up.
#pragma once

/// Opens /dev/console for 0, 1 and 2 unless the kernel has done so.
void open_console(void);

/// One line on the console.
void say(const char *text);

/// One line on the console: `what`, and the number of the error (negated, as system calls return it).
void say_error(const char *what, long error);

/// Tells console and parent, and ends the enclave. `error` is 0 or a negated error number.
__attribute__((noreturn)) void end_with_error(const char *what, long error);

/// Ends the enclave.
__attribute__((noreturn)) void end_enclave(void);
