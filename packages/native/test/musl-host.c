/*
 * Just enough of Node-API to run the addons on musl, of which there is no Node here. Loads one and stops it as Node does:
 * connects two Unix sockets through its epoll thread and asks a device that is no NSM, or has it relay; says "ok".
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <node_api.h>

struct napi_value__ {
	enum { NUMBER, BYTES, TEXT, TRUTH } kind;
	int64_t number;
	size_t length;
	uint8_t bytes[256];
};

struct napi_callback_info__ {
	size_t count;
	napi_value values[5];
};

struct method {
	const char *name;
	napi_callback call;
} methods[64];
static size_t method_count;
static void *instance_data;
static struct {
	void (*run)(void *);
	void *argument;
} hooks[8];
static size_t hook_count;

static napi_value value(int kind, int64_t number)
{
	napi_value made = calloc(1, sizeof *made);

	made->kind = kind;
	made->number = number;
	return made;
}

static void expect(int holds, const char *sentence)
{
	if (holds)
		return;
	printf("not so: %s\n", sentence);
	exit(1);
}

/* ---- values ---- */

napi_status napi_get_cb_info(napi_env env, napi_callback_info info, size_t *count, napi_value *values, napi_value *self,
			     void **data)
{
	for (size_t index = 0; index < *count; index++)
		values[index] = index < info->count ? info->values[index] : value(TRUTH, 0);
	*count = info->count;
	return napi_ok;
}
napi_status napi_get_value_int64(napi_env env, napi_value from, int64_t *result) { *result = from->number; return napi_ok; }
napi_status napi_get_value_bool(napi_env env, napi_value from, bool *result) { *result = from->number != 0; return napi_ok; }
napi_status napi_create_int64(napi_env env, int64_t number, napi_value *result) { *result = value(NUMBER, number); return napi_ok; }
napi_status napi_create_int32(napi_env env, int32_t number, napi_value *result) { *result = value(NUMBER, number); return napi_ok; }
napi_status napi_create_uint32(napi_env env, uint32_t number, napi_value *result) { *result = value(NUMBER, number); return napi_ok; }
napi_status napi_get_undefined(napi_env env, napi_value *result) { *result = value(TRUTH, 0); return napi_ok; }
napi_status napi_create_string_utf8(napi_env env, const char *text, size_t length, napi_value *result)
{
	*result = value(TEXT, 0);
	return napi_ok;
}
napi_status napi_get_value_string_utf8(napi_env env, napi_value from, char *to, size_t size, size_t *length)
{
	snprintf(to, size, "%s", (const char *)from->bytes);
	*length = strlen(to);
	return napi_ok;
}
napi_status napi_create_arraybuffer(napi_env env, size_t length, void **data, napi_value *result)
{
	*result = value(BYTES, 0);
	(*result)->length = length;
	*data = (*result)->bytes;
	return napi_ok;
}
napi_status napi_create_typedarray(napi_env env, napi_typedarray_type type, size_t length, napi_value buffer, size_t offset,
				   napi_value *result)
{
	*result = buffer;
	return napi_ok;
}
napi_status napi_get_typedarray_info(napi_env env, napi_value from, napi_typedarray_type *type, size_t *length, void **data,
				     napi_value *buffer, size_t *offset)
{
	*type = napi_uint8_array;
	*length = from->length;
	*data = from->bytes;
	return from->kind == BYTES ? napi_ok : napi_invalid_arg;
}

/* ---- the module ---- */

napi_status napi_set_instance_data(napi_env env, void *data, napi_finalize finalize, void *hint)
{
	instance_data = data;
	return napi_ok;
}
napi_status napi_get_instance_data(napi_env env, void **data) { *data = instance_data; return napi_ok; }
napi_status napi_define_properties(napi_env env, napi_value object, size_t count, const napi_property_descriptor *list)
{
	for (size_t index = 0; index < count; index++)
		methods[method_count++] = (struct method){list[index].utf8name, list[index].method};
	return napi_ok;
}
napi_status napi_add_env_cleanup_hook(napi_env env, void (*hook)(void *), void *argument)
{
	hooks[hook_count].run = hook;
	hooks[hook_count++].argument = argument;
	return napi_ok;
}
napi_status napi_is_exception_pending(napi_env env, bool *result) { *result = false; return napi_ok; }
napi_status napi_get_and_clear_last_exception(napi_env env, napi_value *result) { return napi_generic_failure; }
napi_status napi_fatal_exception(napi_env env, napi_value error) { abort(); }

/* ---- the function that threads call ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static void *queue[64];
static size_t queued;
static napi_threadsafe_function_call_js deliver;
static void *deliver_context;
static int64_t reported_id, reported_result;

napi_status napi_create_threadsafe_function(napi_env env, napi_value function, napi_value resource, napi_value name,
					    size_t size, size_t threads, void *finalize_data, napi_finalize finalize,
					    void *context, napi_threadsafe_function_call_js call_js,
					    napi_threadsafe_function *result)
{
	deliver = call_js;
	deliver_context = context;
	*result = (napi_threadsafe_function)queue;
	return napi_ok;
}
napi_status napi_call_threadsafe_function(napi_threadsafe_function function, void *data, napi_threadsafe_function_call_mode mode)
{
	pthread_mutex_lock(&mutex);
	queue[queued++] = data;
	pthread_cond_signal(&arrived);
	pthread_mutex_unlock(&mutex);
	return napi_ok;
}
napi_status napi_release_threadsafe_function(napi_threadsafe_function function, napi_threadsafe_function_release_mode mode)
{
	for (size_t index = 0; index < queued; index++)
		deliver(NULL, NULL, deliver_context, queue[index]);
	return napi_ok;
}
napi_status napi_ref_threadsafe_function(napi_env env, napi_threadsafe_function function) { return napi_ok; }
napi_status napi_unref_threadsafe_function(napi_env env, napi_threadsafe_function function) { return napi_ok; }
napi_status napi_call_function(napi_env env, napi_value self, napi_value function, size_t count, const napi_value *values,
			       napi_value *result)
{
	reported_id = values[0]->number;
	reported_result = values[1]->number;
	return napi_ok;
}

static void await_report(void)
{
	void *report;

	pthread_mutex_lock(&mutex);
	while (queued == 0)
		pthread_cond_wait(&arrived, &mutex);
	report = queue[0];
	memmove(queue, queue + 1, --queued * sizeof *queue);
	pthread_mutex_unlock(&mutex);
	deliver((napi_env)1, value(TRUTH, 1), deliver_context, report);
}

/* ---- what is done with it ---- */

static int64_t call(const char *name, size_t count, ...)
{
	struct napi_callback_info__ info = {.count = count};
	va_list list;
	napi_value result;

	va_start(list, count);
	for (size_t index = 0; index < count; index++)
		info.values[index] = va_arg(list, napi_value);
	va_end(list);
	for (size_t index = 0; index < method_count; index++) {
		if (strcmp(methods[index].name, name) != 0)
			continue;
		result = methods[index].call((napi_env)1, &info);
		return result == NULL ? 0 : result->number;
	}
	expect(0, name);
	return 0;
}

static napi_value bytes_value(const void *bytes, size_t length)
{
	napi_value made = value(BYTES, 0);

	made->length = length;
	memcpy(made->bytes, bytes, length);
	return made;
}

static int has_method(const char *name)
{
	for (size_t index = 0; index < method_count; index++)
		if (strcmp(methods[index].name, name) == 0)
			return 1;
	return 0;
}

static void run_hooks(void)
{
	while (hook_count > 0) {
		hook_count--;
		hooks[hook_count].run(hooks[hook_count].argument);
	}
}

static void use_sockets_and_nsm(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	napi_value name, path = value(TEXT, 0);
	int64_t listener, client, listening, connecting, device, refused = 0, accepted = 0, connected = 0;

	snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "musl-host/%d", (int)getpid());
	name = bytes_value(&address, sizeof address);
	listener = call("socket", 1, value(NUMBER, AF_UNIX));
	expect(call("bind", 2, value(NUMBER, listener), name) == 0, "a name is bound");
	listening = call("listen", 2, value(NUMBER, listener), value(NUMBER, 5));
	client = call("socket", 1, value(NUMBER, AF_UNIX));
	connecting = call("connect", 3, value(NUMBER, client), name, value(NUMBER, 10000));
	while (accepted == 0 || connected == 0) {
		await_report();
		if (reported_id == listening)
			accepted = reported_result;
		if (reported_id == connecting)
			connected = reported_result;
	}
	expect(connected == client && accepted > 0, "a connection is made and accepted");
	expect(write(client, "x", 1) == 1 && read(accepted, address.sun_path, 2) == 1, "it carries a byte");

	strcpy((char *)path->bytes, "/dev/null");
	device = call("nsmOpen", 1, path);
	refused = call("nsmRequest", 2, value(NUMBER, device), bytes_value("x", 1));
	do
		await_report();
	while (reported_id != refused);
	expect(reported_result == -25, "what is no NSM answers ENOTTY");
	run_hooks();
	expect(fcntl(listener, F_GETFD) == -1, "the listener is closed at the end");
}

static void use_relay(void)
{
	int first[2], second[2];
	char received[4];
	int64_t joined;

	expect(socketpair(AF_UNIX, SOCK_STREAM, 0, first) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, second) == 0,
	       "there are sockets");
	joined = call("join", 5, value(NUMBER, first[1]), value(NUMBER, second[1]), value(NUMBER, 0), bytes_value("a", 1),
		      bytes_value("", 0));
	expect(joined > 0, "two sockets are joined");
	expect(write(first[0], "b", 1) == 1, "one side is written to");
	expect(read(second[0], received, 1) == 1 && received[0] == 'a', "what was given arrives first");
	expect(read(second[0], received, 1) == 1 && received[0] == 'b', "what was written arrives");
	close(first[0]);
	close(second[0]);
	await_report();
	expect(reported_id == joined && reported_result == 1, "the pair is closed");
	run_hooks();
}

int main(int count, char **arguments)
{
	void *addon = count > 1 ? dlopen(arguments[1], RTLD_NOW) : NULL;
	napi_value (*init)(napi_env, napi_value);

	if (addon == NULL)
		printf("%s\n", dlerror());
	expect(addon != NULL, "the addon loads");
	init = (napi_value(*)(napi_env, napi_value))dlsym(addon, "napi_register_module_v1");
	expect(init != NULL, "it is an addon");
	init((napi_env)1, value(TRUTH, 0));
	expect(call("start", 1, value(TRUTH, 1)) == 0, "the epoll thread starts");
	if (has_method("join"))
		use_relay();
	else
		use_sockets_and_nsm();
	printf("ok\n");
	return 0;
}
