/* Relays over sockets whose kernel has no buffer for two of three writes, as that of a vsock may, and says what came of it. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static long writes, refused;

/* In the place of src/syscall.h. */
#define NITRO_ENCLAVES_SYSCALL_H
static long kernel(long number, long a, long b, long c, long d, long e, long f)
{
	long result;

	if (number == __NR_sendto && writes++ % 3 != 0) {
		refused++;
		return -ENOBUFS;
	}
	result = syscall(number, a, b, c, d, e, f);
	return result < 0 ? -errno : result;
}
#define SYSCALL(name, a, b, c, d, e, f)                                                                                \
	kernel(__NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#include "../src/relay/pair.c"

#define BULK_BYTES (4 * 1024 * 1024)

void *allocate(unsigned long size)
{
	return calloc(1, size);
}

int main(void)
{
	static uint8_t sent[BULK_BYTES], arrived[BULK_BYTES], buffer[PAIR_BUFFER_BYTES];
	static const struct first_bytes NONE[2];
	int client[2], server[2], epoll = syscall(__NR_epoll_create1, 0);
	unsigned long out = 0, in = 0;
	enum end end = GOES_ON;
	int32_t error = 0;
	struct pair *pair;

	for (unsigned long index = 0; index < BULK_BYTES; index++)
		sent[index] = index * 2654435761u >> 13;
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, client);
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, server);
	pair = pair_create((int32_t[]){client[1], server[1]}, NONE, &error);
	if (pair == NULL || pair_watch(pair, epoll) < 0)
		return 2;
	close(client[1]);
	close(server[1]);
	while (end == GOES_ON) {
		struct epoll_event event;
		long count;

		count = out < BULK_BYTES ? write(client[0], sent + out, BULK_BYTES - out) : 0;
		if (count > 0)
			out += count;
		if (count > 0 && out == BULK_BYTES)
			shutdown(client[0], SHUT_WR);
		count = read(server[0], arrived + in, BULK_BYTES - in);
		if (count > 0)
			in += count;
		if (in == BULK_BYTES)
			shutdown(server[0], SHUT_WR);
		if (syscall(__NR_epoll_pwait, epoll, &event, 1, 1000, NULL, 8) == 1)
			end = pair_move((struct side *)(uintptr_t)event.data, event.events, epoll, buffer, 0);
	}
	printf("%s, %s, %s\n", end == CLOSED ? "closed" : "broken off",
	       in == BULK_BYTES && memcmp(sent, arrived, BULK_BYTES) == 0 ? "whole" : "not whole",
	       refused > 10 ? "refused often" : "hardly refused");
	return 0;
}
