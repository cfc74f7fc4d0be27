#include "values.h"

#include <stddef.h>

void arguments(napi_env env, napi_callback_info info, napi_value values[ARGUMENTS_MAX])
{
	size_t count = ARGUMENTS_MAX;

	napi_get_cb_info(env, info, &count, values, NULL, NULL);
}

int64_t integer(napi_env env, napi_value value)
{
	int64_t number = -1;

	napi_get_value_int64(env, value, &number);
	return number;
}

bool bytes(napi_env env, napi_value value, void **start, size_t *length)
{
	napi_typedarray_type type;

	return napi_get_typedarray_info(env, value, &type, length, start, NULL, NULL) == napi_ok && type == napi_uint8_array;
}

napi_value number(napi_env env, int64_t value)
{
	napi_value result = NULL;

	napi_create_int64(env, value, &result);
	return result;
}

napi_value copied(napi_env env, const uint8_t *start, size_t length)
{
	napi_value buffer, array = NULL;
	void *copy;

	if (napi_create_arraybuffer(env, length, &copy, &buffer) != napi_ok)
		return NULL;
	for (size_t index = 0; index < length; index++)
		((uint8_t *)copy)[index] = start[index];
	napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &array);
	return array;
}

static void rethrow(napi_env env)
{
	bool pending = false;
	napi_value error;

	/* Older Node swallows what a callback throws (DEP0168). */
	if (napi_is_exception_pending(env, &pending) == napi_ok && pending &&
	    napi_get_and_clear_last_exception(env, &error) == napi_ok)
		napi_fatal_exception(env, error);
}

void call_back(napi_env env, napi_value function, size_t count, const napi_value *values)
{
	napi_value receiver;

	napi_get_undefined(env, &receiver);
	if (napi_call_function(env, receiver, function, count, values, NULL) != napi_ok)
		rethrow(env);
}
