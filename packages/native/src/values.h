/* JavaScript's values: what a function is called with, and what it gives back. */
#ifndef NITRO_ENCLAVES_VALUES_H
#define NITRO_ENCLAVES_VALUES_H

#include <node_api.h>

#define ARGUMENTS_MAX 5

/* Those that are missing are undefined. */
void arguments(napi_env env, napi_callback_info info, napi_value values[ARGUMENTS_MAX]);
/* -1 for what is no number. */
int64_t integer(napi_env env, napi_value value);
/* Where a Uint8Array is; false for anything else. */
bool bytes(napi_env env, napi_value value, void **start, size_t *length);

napi_value number(napi_env env, int64_t value);
/* A Uint8Array of a copy. */
napi_value copied(napi_env env, const uint8_t *start, size_t length);

/* Calls `function`; what it throws is nobody's to catch. */
void call_back(napi_env env, napi_value function, size_t count, const napi_value *values);

#endif
