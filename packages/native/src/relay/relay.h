/* A thread that moves the bytes of its pairs. */
#ifndef NITRO_ENCLAVES_RELAY_H
#define NITRO_ENCLAVES_RELAY_H

#include "pair.h"

struct relay;

/* Called on the relay's thread for each pair that has ended: closed, and the receiver's to free. */
typedef void pair_ended(void *receiver, struct pair *pair);

/* NULL, with -errno in `error`, when there is no thread or descriptor to be had. */
struct relay *relay_start(pair_ended *ended, void *receiver, int32_t *error);
/* Waits for the thread to end. Pairs that go on are broken off, and nobody is told. */
void relay_stop(struct relay *relay);

/* Takes `pair` over; false only for want of memory, when it has not. */
bool relay_add(struct relay *relay, struct pair *pair);
/* Breaks off the pair that goes by `id`, if it goes on. */
void relay_abort(struct relay *relay, uint32_t id);

#endif
