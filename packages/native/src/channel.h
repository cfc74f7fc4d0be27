/* The way from the addon's threads to the JavaScript thread. */
#ifndef NITRO_ENCLAVES_CHANNEL_H
#define NITRO_ENCLAVES_CHANNEL_H

#include "loose.h"
#include "thread.h"

#include <node_api.h>

#define NAME_MAX_BYTES 128 /* struct sockaddr_storage */

/* The name of a socket, as the kernel writes it. */
struct name {
	uint32_t length;
	uint8_t bytes[NAME_MAX_BYTES];
};

struct reactor;

struct report {
	uint64_t id;
	int32_t result;
	/* Closed when nobody is there any more to be told of it; -1 for none. */
	int32_t descriptor;
	/* The last of a batch of accepted connections: the listener goes on when it has been delivered. */
	bool last_of_batch;
	bool has_names;
	struct name peer, local;
	/* An answer of the NSM, which is wiped and freed with the report. */
	uint32_t answer_length;
	uint8_t *answer;
};

/*
 * Outlives its JavaScript environment for as long as a thread refers to it: a request to the NSM cannot be interrupted,
 * so its thread may have something to report when nobody is there.
 */
struct channel {
	struct lock lock;
	uint32_t references;
	napi_threadsafe_function function; /* NULL once closed */
	struct reactor *reactor;	   /* NULL before it starts */
	struct loose **loose;		   /* where a reported descriptor is held until it is somebody's */
};

struct channel *channel_create(napi_env env, napi_value report, struct loose **loose);
void channel_hold(struct channel *channel, napi_env env, bool on);
struct channel *channel_refer(struct channel *channel);
void channel_release(struct channel *channel);
/* Nothing is delivered afterwards. */
void channel_close(struct channel *channel);
/* Takes `report` over, whatever happens to it. */
void channel_post(struct channel *channel, struct report *report);
struct report *report_create(uint64_t id, int32_t result);

#endif
