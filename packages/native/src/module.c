/*
 * What JavaScript sees (see addon.ts): thin functions over system calls, which return what the kernel does (-errno below
 * zero), and identifiers of what is reported later. Everything about families, addresses and errors is said above.
 */
#include "channel.h"
#include "loose.h"
#include "nsm.h"
#include "reactor.h"
#include "syscall.h"
#include "values.h"

#include <stddef.h>
#include <sys/socket.h>

#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/ioctl.h>
#include <linux/vm_sockets.h>

#define PATH_MAX_BYTES 4096

/* Ids are never used again: at a thousand connections a second, those of 32 bits would be after 50 days. */
#ifndef FIRST_ID
#define FIRST_ID 0
#endif

struct opened_device {
	struct opened_device *next;
	uint64_t id;
	struct nsm_device *device;
};

/* One for each JavaScript environment: the main thread's and each worker's. */
struct instance {
	struct channel *channel; /* NULL before `start` */
	uint64_t last_id;
	struct opened_device *devices;
	struct loose *loose;
};

static struct instance *instance_of(napi_env env)
{
	void *instance = NULL;

	napi_get_instance_data(env, &instance);
	return instance;
}

static bool socket_name(napi_env env, napi_value value, struct name *name)
{
	void *start;
	size_t length;

	if (!bytes(env, value, &start, &length) || length > NAME_MAX_BYTES)
		return false;
	name->length = length;
	for (size_t index = 0; index < length; index++)
		name->bytes[index] = ((const uint8_t *)start)[index];
	return true;
}

/* ---- system calls that do not wait ---- */

static napi_value open_socket(napi_env env, napi_callback_info info)
{
	napi_value values[ARGUMENTS_MAX];
	long result;

	arguments(env, info, values);
	result = SYSCALL(socket, integer(env, values[0]), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, 0, 0, 0);
	if (result >= 0)
		loose_add(&instance_of(env)->loose, result);
	return number(env, result);
}

static napi_value keep(napi_env env, napi_callback_info info)
{
	napi_value values[ARGUMENTS_MAX];

	arguments(env, info, values);
	loose_remove(&instance_of(env)->loose, integer(env, values[0]));
	return NULL;
}

static napi_value close_descriptor(napi_env env, napi_callback_info info)
{
	napi_value values[ARGUMENTS_MAX];

	arguments(env, info, values);
	loose_remove(&instance_of(env)->loose, integer(env, values[0]));
	return number(env, SYSCALL(close, integer(env, values[0]), 0, 0, 0, 0, 0));
}

static napi_value duplicate(napi_env env, napi_callback_info info)
{
	napi_value values[ARGUMENTS_MAX];

	arguments(env, info, values);
	return number(env, SYSCALL(dup3, integer(env, values[0]), integer(env, values[1]), O_CLOEXEC, 0, 0, 0));
}

static napi_value bind_socket(napi_env env, napi_callback_info info)
{
	napi_value values[ARGUMENTS_MAX];
	struct name name;

	arguments(env, info, values);
	if (!socket_name(env, values[1], &name))
		return number(env, -EINVAL);
	return number(env, SYSCALL(bind, integer(env, values[0]), name.bytes, name.length, 0, 0, 0));
}

static napi_value name_of(napi_env env, napi_callback_info info, long call)
{
	napi_value values[ARGUMENTS_MAX];
	struct name name = {.length = NAME_MAX_BYTES};
	long result;

	arguments(env, info, values);
	result = syscall6(call, integer(env, values[0]), (long)name.bytes, (long)&name.length, 0, 0, 0);
	return result < 0 ? number(env, result) : copied(env, name.bytes, name.length);
}

static napi_value local_name(napi_env env, napi_callback_info info)
{
	return name_of(env, info, __NR_getsockname);
}

static napi_value peer_name(napi_env env, napi_callback_info info)
{
	return name_of(env, info, __NR_getpeername);
}

static napi_value set_option(napi_env env, napi_callback_info info)
{
	napi_value values[ARGUMENTS_MAX];
	void *start;
	size_t length;

	arguments(env, info, values);
	if (!bytes(env, values[3], &start, &length))
		return number(env, -EINVAL);
	return number(env, SYSCALL(setsockopt, integer(env, values[0]), integer(env, values[1]), integer(env, values[2]), start,
				   length, 0));
}

static napi_value get_option(napi_env env, napi_callback_info info)
{
	napi_value values[ARGUMENTS_MAX];
	uint8_t value[NAME_MAX_BYTES];
	uint32_t length = sizeof value;
	long result;

	arguments(env, info, values);
	result = SYSCALL(getsockopt, integer(env, values[0]), integer(env, values[1]), integer(env, values[2]), value, &length,
			 0);
	return result < 0 ? number(env, result) : copied(env, value, length);
}

static napi_value local_cid(napi_env env, napi_callback_info info)
{
	long descriptor = SYSCALL(openat, AT_FDCWD, "/dev/vsock", O_RDONLY | O_CLOEXEC, 0, 0, 0);
	uint32_t cid = 0;
	long result;

	(void)info;
	if (descriptor < 0)
		return number(env, descriptor);
	result = SYSCALL(ioctl, descriptor, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid, 0, 0, 0);
	SYSCALL(close, descriptor, 0, 0, 0, 0, 0);
	return number(env, result < 0 ? result : (int64_t)cid);
}

/* ---- what takes time ---- */

/* At the end of the environment, before Node takes the function down on which the channel reports. */
static void stop(void *data)
{
	struct instance *instance = data;

	reactor_stop(instance->channel->reactor);
	instance->channel->reactor = NULL;
	channel_close(instance->channel);
	while (instance->devices != NULL) {
		struct opened_device *opened = instance->devices;

		instance->devices = opened->next;
		nsm_close(opened->device);
		free(opened);
	}
	channel_release(instance->channel);
	instance->channel = NULL;
}

static napi_value start(napi_env env, napi_callback_info info)
{
	struct instance *instance = instance_of(env);
	napi_value values[ARGUMENTS_MAX];
	int32_t error;

	arguments(env, info, values);
	if (instance->channel != NULL)
		return number(env, -EALREADY);
	instance->channel = channel_create(env, values[0], &instance->loose);
	if (instance->channel == NULL)
		return number(env, -ENOMEM);
	instance->channel->reactor = reactor_start(instance->channel, &error);
	if (instance->channel->reactor == NULL) {
		channel_close(instance->channel);
		channel_release(instance->channel);
		instance->channel = NULL;
		return number(env, error);
	}
	/* Hooks run in reverse order: this one before that of the channel's function. */
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
	if (instance->channel != NULL)
		channel_hold(instance->channel, env, on);
	return NULL;
}

static napi_value connect_socket(napi_env env, napi_callback_info info)
{
	struct instance *instance = instance_of(env);
	napi_value values[ARGUMENTS_MAX];
	struct name name;

	arguments(env, info, values);
	if (instance->channel == NULL || !socket_name(env, values[1], &name))
		return number(env, -EINVAL);
	if (!reactor_connect(instance->channel->reactor, ++instance->last_id, integer(env, values[0]), &name,
			     integer(env, values[2])))
		return number(env, -ENOMEM);
	loose_remove(&instance->loose, integer(env, values[0]));
	return number(env, instance->last_id);
}

static napi_value listen_socket(napi_env env, napi_callback_info info)
{
	struct instance *instance = instance_of(env);
	napi_value values[ARGUMENTS_MAX];
	long result;

	arguments(env, info, values);
	if (instance->channel == NULL)
		return number(env, -EINVAL);
	result = SYSCALL(listen, integer(env, values[0]), integer(env, values[1]), 0, 0, 0, 0);
	if (result < 0)
		return number(env, result);
	if (!reactor_listen(instance->channel->reactor, ++instance->last_id, integer(env, values[0])))
		return number(env, -ENOMEM);
	loose_remove(&instance->loose, integer(env, values[0]));
	return number(env, instance->last_id);
}

static napi_value remove_watch(napi_env env, napi_callback_info info)
{
	struct instance *instance = instance_of(env);
	napi_value values[ARGUMENTS_MAX];

	arguments(env, info, values);
	if (instance->channel != NULL)
		reactor_remove(instance->channel->reactor, integer(env, values[0]));
	return NULL;
}

static napi_value open_nsm(napi_env env, napi_callback_info info)
{
	struct instance *instance = instance_of(env);
	struct opened_device *opened = allocate(sizeof *opened);
	napi_value values[ARGUMENTS_MAX];
	char path[PATH_MAX_BYTES];
	size_t length = 0;
	int32_t error = -ENOMEM;

	arguments(env, info, values);
	if (instance->channel == NULL || opened == NULL ||
	    napi_get_value_string_utf8(env, values[0], path, sizeof path, &length) != napi_ok) {
		free(opened);
		return number(env, -EINVAL);
	}
	opened->id = ++instance->last_id;
	opened->device = nsm_open(instance->channel, opened->id, path, &error);
	if (opened->device == NULL) {
		free(opened);
		return number(env, error);
	}
	opened->next = instance->devices;
	instance->devices = opened;
	return number(env, opened->id);
}

static struct opened_device **find_nsm(struct instance *instance, uint64_t id)
{
	struct opened_device **at = &instance->devices;

	while (*at != NULL && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

static napi_value request_nsm(napi_env env, napi_callback_info info)
{
	struct instance *instance = instance_of(env);
	napi_value values[ARGUMENTS_MAX];
	struct opened_device *opened;
	void *request;
	size_t length;
	int32_t error;

	arguments(env, info, values);
	opened = *find_nsm(instance, integer(env, values[0]));
	if (opened == NULL)
		return number(env, -EBADF);
	if (!bytes(env, values[1], &request, &length))
		return number(env, -EINVAL);
	if (length > NSM_REQUEST_MAX_BYTES)
		return number(env, -EMSGSIZE);
	error = nsm_request(opened->device, ++instance->last_id, request, length);
	return number(env, error < 0 ? error : (int64_t)instance->last_id);
}

static napi_value close_nsm(napi_env env, napi_callback_info info)
{
	struct instance *instance = instance_of(env);
	napi_value values[ARGUMENTS_MAX];
	struct opened_device **at, *opened;

	arguments(env, info, values);
	at = find_nsm(instance, integer(env, values[0]));
	opened = *at;
	if (opened == NULL)
		return number(env, -EBADF);
	*at = opened->next;
	nsm_close(opened->device);
	free(opened);
	return number(env, 0);
}

/* ---- the module ---- */

static void close_loose(void *data)
{
	struct instance *instance = data;

	loose_close_all(&instance->loose);
}

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
		METHOD("socket", open_socket),
		METHOD("keep", keep),
		METHOD("close", close_descriptor),
		METHOD("duplicate", duplicate),
		METHOD("bind", bind_socket),
		METHOD("localName", local_name),
		METHOD("peerName", peer_name),
		METHOD("setOption", set_option),
		METHOD("getOption", get_option),
		METHOD("connect", connect_socket),
		METHOD("listen", listen_socket),
		METHOD("remove", remove_watch),
		METHOD("localCid", local_cid),
		METHOD("nsmOpen", open_nsm),
		METHOD("nsmRequest", request_nsm),
		METHOD("nsmClose", close_nsm),
	};
	struct instance *instance = allocate(sizeof *instance);

	if (instance == NULL)
		return NULL;
	instance->last_id = FIRST_ID;
	if (napi_set_instance_data(env, instance, finalize_instance, NULL) != napi_ok) {
		free(instance);
		return NULL;
	}
	/* The first hook, so the last to run. */
	napi_add_env_cleanup_hook(env, close_loose, instance);
	napi_define_properties(env, exports, sizeof methods / sizeof *methods, methods);
	return exports;
}
