#include "mailbox.h"
#include "syscall.h"

#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <stdbool.h>
#include <stddef.h>

int32_t mailbox_open(struct mailbox *mailbox, int32_t epoll, uint64_t data)
{
	struct epoll_event event = {.events = EPOLLIN, .data = data};

	mailbox->wakeup = SYSCALL(eventfd2, 0, O_CLOEXEC | O_NONBLOCK, 0, 0, 0, 0);
	if (mailbox->wakeup < 0)
		return mailbox->wakeup;
	return SYSCALL(epoll_ctl, epoll, EPOLL_CTL_ADD, mailbox->wakeup, &event, 0, 0);
}

void mailbox_close(struct mailbox *mailbox)
{
	if (mailbox->wakeup >= 0)
		SYSCALL(close, mailbox->wakeup, 0, 0, 0, 0, 0);
}

void mailbox_wake(struct mailbox *mailbox)
{
	uint64_t one = 1;

	SYSCALL(write, mailbox->wakeup, &one, sizeof one, 0, 0, 0);
}

void mailbox_silence(struct mailbox *mailbox)
{
	uint64_t count;

	SYSCALL(read, mailbox->wakeup, &count, sizeof count, 0, 0, 0);
}

void mailbox_send(struct mailbox *mailbox, struct letter *letter)
{
	letter->next = __atomic_load_n(&mailbox->newest, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&mailbox->newest, &letter->next, letter, true, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED))
		;
	mailbox_wake(mailbox);
}

struct letter *mailbox_take(struct mailbox *mailbox)
{
	struct letter *newest = __atomic_exchange_n(&mailbox->newest, NULL, __ATOMIC_ACQUIRE), *oldest = NULL;

	while (newest != NULL) {
		struct letter *older = newest->next;

		newest->next = oldest;
		oldest = newest;
		newest = older;
	}
	return oldest;
}
