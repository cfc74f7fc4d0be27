// The Nitro Secure Module's device.
#pragma once

#include <stddef.h>

/// Sends one request (CBOR) and returns the length of the response, or a negated error number. *is_open says whether there
/// is a device at all.
long request_nsm(const void *request, size_t request_length, void *response, size_t capacity, int *is_open);
