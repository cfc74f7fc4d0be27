/* What a thread that waits in epoll is told by others, in order. */
#ifndef NITRO_ENCLAVES_MAILBOX_H
#define NITRO_ENCLAVES_MAILBOX_H

#include <stdint.h>

/* The first member of whatever is sent. */
struct letter {
	struct letter *next;
};

struct mailbox {
	struct letter *newest;
	int32_t wakeup; /* an eventfd */
};

/* Has `epoll` tell of letters, with `data`. -errno when there is no descriptor to be had. */
int32_t mailbox_open(struct mailbox *mailbox, int32_t epoll, uint64_t data);
void mailbox_close(struct mailbox *mailbox);

/* From any thread. */
void mailbox_send(struct mailbox *mailbox, struct letter *letter);
void mailbox_wake(struct mailbox *mailbox);

/* By the thread itself: after epoll has told of it. */
void mailbox_silence(struct mailbox *mailbox);
/* All letters not yet taken, the oldest first; they are the taker's. */
struct letter *mailbox_take(struct mailbox *mailbox);

#endif
