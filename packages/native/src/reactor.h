/* The one thread that waits for connections to be made and to arrive. */
#ifndef NITRO_ENCLAVES_REACTOR_H
#define NITRO_ENCLAVES_REACTOR_H

#include "channel.h"

struct reactor;

/* NULL, with -errno in `error`, when there is no thread or descriptor to be had. */
struct reactor *reactor_start(struct channel *channel, int32_t *error);
/* Waits for the thread to end, and closes what it was watching. */
void reactor_stop(struct reactor *reactor);

/* Both take `descriptor` over, and return false only for want of memory, when they have not. */
bool reactor_connect(struct reactor *reactor, uint64_t id, int32_t descriptor, const struct name *name,
		     int64_t timeout_ms);
bool reactor_listen(struct reactor *reactor, uint64_t id, int32_t descriptor);
/* Closes what goes by `id`, and reports -ECANCELED then; nothing when there is no such thing any more. */
void reactor_remove(struct reactor *reactor, uint64_t id);
/* Lets a listener accept its next batch. */
void reactor_resume(struct reactor *reactor, uint64_t id);

#endif
