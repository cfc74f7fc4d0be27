/* Two stream sockets, of which each is sent what the other receives. Of one thread; nothing here waits. */
#ifndef NITRO_ENCLAVES_PAIR_H
#define NITRO_ENCLAVES_PAIR_H

#include "../thread.h"

#include <stddef.h>

/* How a pair ends. */
enum end { GOES_ON, CLOSED, RESET, IDLE };

/* What a side sends goes to the other one. */
struct side {
	struct pair *pair;
	int32_t descriptor;
	uint32_t watched; /* what epoll has been told to look for */
	/* What this side has sent and the other has not taken yet; while there is any, no more is read. */
	uint8_t *pending;
	uint32_t pending_length, pending_taken;
	bool has_ended;	    /* nothing more comes from this side */
	bool is_told_of_it; /* the other one has been sent everything, and the end */
	int64_t bytes;	    /* that the other one has taken */
};

struct pair {
	struct pair *next; /* in its bucket, or among those that have ended */
	uint32_t id;
	enum end end;
	int64_t idle_timeout; /* ms; 0 for none */
	int64_t moved_at;     /* when a byte moved last, in ms of the monotonic clock */
	struct side sides[2];
};

/* One for each thread: read into, and written out of, at once. */
#define PAIR_BUFFER_BYTES (256 * 1024)

/* What goes before anything that is received: what has been read of a socket already. */
struct first_bytes {
	const void *start;
	size_t length;
};

/*
 * Takes duplicates of both sockets, and copies of the first bytes of each. NULL, with -errno in `error` and nothing taken,
 * when one is no stream socket or there is no descriptor or memory to be had.
 */
struct pair *pair_create(const int32_t descriptors[2], const struct first_bytes firsts[2], int32_t *error);
/* Closes the duplicates and lets go of what is pending. A pair that has not ended well is reset where there is such a thing. */
void pair_close(struct pair *pair);

/* Has epoll tell of both sides, with each as its data. -errno when epoll refuses. */
int32_t pair_watch(struct pair *pair, int32_t epoll);
void pair_unwatch(struct pair *pair, int32_t epoll);

/* Moves what there is to move after `events` at `side`; how the pair has ended, if it has. */
enum end pair_move(struct side *side, uint32_t events, int32_t epoll, uint8_t buffer[PAIR_BUFFER_BYTES], int64_t now);

#endif
