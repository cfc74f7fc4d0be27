// The way to the parent instance.
#pragma once

/// A stream socket connected to this port of the parent, or a negated error number.
long connect_parent_socket(long port);
