#include "loose.h"
#include "syscall.h"

#include <stddef.h>
#include <sys/socket.h>

struct loose {
	struct loose *next;
	int32_t descriptor;
	uint64_t cookie;
};

/* Which socket it is, whatever its number: zero for none. */
static uint64_t cookie_of(int32_t descriptor)
{
	uint64_t cookie = 0;
	uint32_t size = sizeof cookie;

	if (SYSCALL(getsockopt, descriptor, SOL_SOCKET, SO_COOKIE, &cookie, &size, 0) < 0)
		return 0;
	return cookie;
}

void loose_add(struct loose **list, int32_t descriptor)
{
	struct loose *loose = allocate(sizeof *loose);

	if (loose == NULL)
		return;
	loose->descriptor = descriptor;
	loose->cookie = cookie_of(descriptor);
	loose->next = *list;
	*list = loose;
}

void loose_remove(struct loose **list, int64_t descriptor)
{
	while (*list != NULL && (*list)->descriptor != descriptor)
		list = &(*list)->next;
	if (*list != NULL) {
		struct loose *found = *list;

		*list = found->next;
		free(found);
	}
}

void loose_close_all(struct loose **list)
{
	while (*list != NULL) {
		struct loose *first = *list;

		/* Node closes its handles before: by now the number may be that of another thread's socket. */
		if (first->cookie != 0 && cookie_of(first->descriptor) == first->cookie)
			SYSCALL(close, first->descriptor, 0, 0, 0, 0, 0);
		*list = first->next;
		free(first);
	}
}
