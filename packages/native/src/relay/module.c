/* What JavaScript sees of the relay (see relay.ts). Numbers below zero are -errno. */
#include "../syscall.h"
#include "../values.h"
#include "relay.h"

#include <linux/errno.h>
#include <stddef.h>

/* Most that may have been read of a socket before it is given here. */
#define FIRST_MAX_BYTES (1024 * 1024)

/* Measured: two move a tenth more than one, and many small messages wait a third as long. */
#define THREADS 2

/* One for each JavaScript environment: the main thread's and each worker's. */
struct instance {
	napi_threadsafe_function function; /* NULL before `start` */
	struct relay *relays[THREADS];
	uint32_t last_id;
};

static struct instance *instance_of(napi_env env)
{
	void *instance = NULL;

	napi_get_instance_data(env, &instance);
	return instance;
}

/* ---- of pairs that have ended ---- */

static void deliver(napi_env env, napi_value function, void *context, void *data)
{
	struct pair *pair = data;
	napi_value values[4];

	(void)context;
	if (env != NULL && function != NULL) {
		values[0] = number(env, pair->id);
		values[1] = number(env, pair->end);
		values[2] = number(env, pair->sides[0].bytes);
		values[3] = number(env, pair->sides[1].bytes);
		call_back(env, function, 4, values);
	}
	free(pair);
}

/* On a relay's thread, which ends before the function does. */
static void post(void *receiver, struct pair *pair)
{
	struct instance *instance = receiver;

	if (napi_call_threadsafe_function(instance->function, pair, napi_tsfn_nonblocking) != napi_ok)
		free(pair);
}

static napi_status create_function(napi_env env, napi_value report, napi_threadsafe_function *function)
{
	napi_value name;
	napi_status status;

	napi_create_string_utf8(env, "RELAY", NAPI_AUTO_LENGTH, &name);
	status = napi_create_threadsafe_function(env, report, NULL, name, 0, 1, NULL, NULL, NULL, deliver, function);
	if (status == napi_ok)
		napi_unref_threadsafe_function(env, *function);
	return status;
}

/* ---- functions ---- */

static void stop_relays(struct instance *instance)
{
	for (int32_t index = 0; index < THREADS; index++) {
		if (instance->relays[index] != NULL)
			relay_stop(instance->relays[index]);
		instance->relays[index] = NULL;
	}
}

static int32_t start_relays(struct instance *instance)
{
	int32_t error = 0;

	for (int32_t index = 0; index < THREADS && error == 0; index++)
		instance->relays[index] = relay_start(post, instance, &error);
	if (error < 0)
		stop_relays(instance);
	return error;
}

/* At the end of the environment, before Node takes the function down. */
static void stop(void *data)
{
	struct instance *instance = data;

	stop_relays(instance);
	napi_release_threadsafe_function(instance->function, napi_tsfn_abort);
}

static napi_value start(napi_env env, napi_callback_info info)
{
	struct instance *instance = instance_of(env);
	napi_value values[ARGUMENTS_MAX];
	int32_t error;

	arguments(env, info, values);
	if (instance->function != NULL)
		return number(env, -EALREADY);
	if (create_function(env, values[0], &instance->function) != napi_ok)
		return number(env, -EINVAL);
	error = start_relays(instance);
	if (error < 0) {
		napi_release_threadsafe_function(instance->function, napi_tsfn_abort);
		instance->function = NULL;
		return number(env, error);
	}
	/* Hooks run in reverse order: this one before that of the function. */
	napi_add_env_cleanup_hook(env, stop, instance);
	return number(env, 0);
}

static napi_value hold(napi_env env, napi_callback_info info)
{
	struct instance *instance = instance_of(env);
	napi_value values[ARGUMENTS_MAX];
	bool on = false;

	arguments(env, info, values);
	napi_get_value_bool(env, values[0], &on);
	if (instance->function == NULL)
		return NULL;
	if (on)
		napi_ref_threadsafe_function(env, instance->function);
	else
		napi_unref_threadsafe_function(env, instance->function);
	return NULL;
}

static struct relay *relay_of(const struct instance *instance, uint32_t id)
{
	return instance->relays[id % THREADS];
}

static bool first_bytes(napi_env env, napi_value value, struct first_bytes *first)
{
	void *start;

	if (!bytes(env, value, &start, &first->length) || first->length > FIRST_MAX_BYTES)
		return false;
	first->start = start;
	return true;
}

static int32_t descriptor(napi_env env, napi_value value)
{
	int64_t given = integer(env, value);

	return given >= 0 && given <= INT32_MAX ? (int32_t)given : -1;
}

static napi_value join(napi_env env, napi_callback_info info)
{
	struct instance *instance = instance_of(env);
	napi_value values[ARGUMENTS_MAX];
	struct first_bytes firsts[2];
	struct pair *pair;
	int32_t error;

	arguments(env, info, values);
	if (instance->function == NULL || integer(env, values[2]) < 0 || !first_bytes(env, values[3], &firsts[0]) ||
	    !first_bytes(env, values[4], &firsts[1]))
		return number(env, -EINVAL);
	pair = pair_create((int32_t[]){descriptor(env, values[0]), descriptor(env, values[1])}, firsts, &error);
	if (pair == NULL)
		return number(env, error);
	pair->id = ++instance->last_id;
	pair->idle_timeout = integer(env, values[2]);
	if (relay_add(relay_of(instance, pair->id), pair))
		return number(env, pair->id);
	pair->end = CLOSED;
	pair_close(pair);
	free(pair);
	return number(env, -ENOMEM);
}

static napi_value break_off(napi_env env, napi_callback_info info)
{
	struct instance *instance = instance_of(env);
	napi_value values[ARGUMENTS_MAX];
	uint32_t id;

	arguments(env, info, values);
	id = integer(env, values[0]);
	if (instance->function != NULL)
		relay_abort(relay_of(instance, id), id);
	return NULL;
}

/* ---- the module ---- */

static void finalize_instance(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	free(data);
}

#define METHOD(name, function) {name, NULL, function, NULL, NULL, NULL, napi_enumerable, NULL}

NAPI_MODULE_INIT()
{
	static const napi_property_descriptor methods[] = {
		METHOD("start", start),
		METHOD("hold", hold),
		METHOD("join", join),
		METHOD("breakOff", break_off),
	};
	struct instance *instance = allocate(sizeof *instance);

	if (instance == NULL)
		return NULL;
	if (napi_set_instance_data(env, instance, finalize_instance, NULL) != napi_ok) {
		free(instance);
		return NULL;
	}
	napi_define_properties(env, exports, sizeof methods / sizeof *methods, methods);
	return exports;
}
