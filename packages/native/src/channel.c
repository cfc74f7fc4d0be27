#include "channel.h"
#include "reactor.h"
#include "syscall.h"
#include "values.h"

#include <stddef.h>

struct report *report_create(uint64_t id, int32_t result)
{
	struct report *report = allocate(sizeof *report);

	if (report == NULL)
		return NULL;
	report->id = id;
	report->result = result;
	report->descriptor = -1;
	return report;
}

static void report_destroy(struct report *report)
{
	if (report->answer != NULL) {
		wipe(report->answer, report->answer_length);
		free(report->answer);
	}
	free(report);
}

/* Undelivered: what it would have handed over is closed instead. */
static void report_discard(struct report *report)
{
	if (report->descriptor >= 0)
		SYSCALL(close, report->descriptor, 0, 0, 0, 0, 0);
	report_destroy(report);
}

static void call_report(napi_env env, napi_value function, struct channel *channel, struct report *report)
{
	napi_value arguments[4];
	size_t count = 2;

	arguments[0] = number(env, report->id);
	napi_create_int32(env, report->result, &arguments[1]);
	if (report->answer != NULL)
		arguments[count++] = copied(env, report->answer, report->answer_length);
	if (report->has_names) {
		arguments[count++] = copied(env, report->peer.bytes, report->peer.length);
		arguments[count++] = copied(env, report->local.bytes, report->local.length);
	}
	if (report->descriptor >= 0)
		loose_add(channel->loose, report->descriptor);
	call_back(env, function, count, arguments);
}

static void deliver(napi_env env, napi_value function, void *context, void *data)
{
	struct channel *channel = context;
	struct report *report = data;
	bool last_of_batch = report->last_of_batch;
	uint64_t id = report->id;

	if (env == NULL || function == NULL) {
		report_discard(report);
		return;
	}
	call_report(env, function, channel, report);
	report_destroy(report);
	if (last_of_batch && channel->reactor != NULL)
		reactor_resume(channel->reactor, id);
}

static void finalize(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	channel_release(data);
}

struct channel *channel_create(napi_env env, napi_value report, struct loose **loose)
{
	struct channel *channel = allocate(sizeof *channel);
	napi_value name;

	if (channel == NULL)
		return NULL;
	channel->loose = loose;
	channel->references = 2; /* its creator's, and the function's */
	napi_create_string_utf8(env, "VSOCK", NAPI_AUTO_LENGTH, &name);
	if (napi_create_threadsafe_function(env, report, NULL, name, 0, 1, channel, finalize, channel, deliver,
					    &channel->function) != napi_ok) {
		free(channel);
		return NULL;
	}
	napi_unref_threadsafe_function(env, channel->function);
	return channel;
}

void channel_hold(struct channel *channel, napi_env env, bool on)
{
	if (on)
		napi_ref_threadsafe_function(env, channel->function);
	else
		napi_unref_threadsafe_function(env, channel->function);
}

struct channel *channel_refer(struct channel *channel)
{
	__atomic_add_fetch(&channel->references, 1, __ATOMIC_RELAXED);
	return channel;
}

void channel_release(struct channel *channel)
{
	if (__atomic_sub_fetch(&channel->references, 1, __ATOMIC_ACQ_REL) == 0)
		free(channel);
}

void channel_close(struct channel *channel)
{
	napi_threadsafe_function function;

	lock_take(&channel->lock);
	function = channel->function;
	channel->function = NULL;
	lock_give(&channel->lock);
	if (function != NULL)
		napi_release_threadsafe_function(function, napi_tsfn_abort);
}

void channel_post(struct channel *channel, struct report *report)
{
	bool posted = false;

	if (report == NULL)
		return;
	lock_take(&channel->lock);
	if (channel->function != NULL)
		posted = napi_call_threadsafe_function(channel->function, report, napi_tsfn_nonblocking) == napi_ok;
	lock_give(&channel->lock);
	if (!posted)
		report_discard(report);
}
