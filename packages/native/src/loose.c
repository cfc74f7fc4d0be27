#include "loose.h"
#include "syscall.h"

#include <linux/fcntl.h>
#include <linux/stat.h>
#include <stddef.h>

struct loose {
	struct loose *next;
	int32_t descriptor;
	uint64_t inode;
};

/* Which socket it is, whatever its number: zero for none. (SO_COOKIE would tell too, but not under qemu-user.) */
static uint64_t inode_of(int32_t descriptor)
{
	struct statx found;

	if (SYSCALL(statx, descriptor, "", AT_EMPTY_PATH, STATX_INO, &found, 0) < 0)
		return 0;
	return found.stx_ino;
}

void loose_add(struct loose **list, int32_t descriptor)
{
	struct loose *loose = allocate(sizeof *loose);

	if (loose == NULL)
		return;
	loose->descriptor = descriptor;
	loose->inode = inode_of(descriptor);
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
		if (first->inode != 0 && inode_of(first->descriptor) == first->inode)
			SYSCALL(close, first->descriptor, 0, 0, 0, 0, 0);
		*list = first->next;
		free(first);
	}
}
