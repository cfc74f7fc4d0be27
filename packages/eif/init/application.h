// The application: started once, waited for, and everything that it leaves behind reaped.
#pragma once

#include "records.h"

/// Blocks all signals in this process, so that none is lost between two calls of run_application.
void block_signals(void);

/// Runs the application to its end and returns its status, as wait4 gives it.
int run_application(const struct records *records);
