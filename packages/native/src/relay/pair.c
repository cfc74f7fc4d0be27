#include "pair.h"
#include "../syscall.h"

#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <stddef.h>
#include <sys/socket.h>

static struct side *other(const struct side *side)
{
	return &side->pair->sides[side == &side->pair->sides[0]];
}

/* ---- moving ---- */

static bool is_pending(const struct side *side)
{
	return side->pending_length > 0;
}

static long send_some(struct side *to, const uint8_t *bytes, unsigned long length)
{
	return SYSCALL(sendto, to->descriptor, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
}

/* Sends until the other side takes no more; how much that was, or -errno. */
static long send_all(struct side *side, const uint8_t *bytes, unsigned long length)
{
	unsigned long sent = 0;

	while (sent < length) {
		long result = send_some(other(side), bytes + sent, length - sent);

		if (result == -EINTR)
			continue;
		/* ENOBUFS: a vsock whose device has its queue full says that, and takes more later. */
		if (result == -EAGAIN || result == -ENOBUFS)
			break;
		if (result < 0)
			return result;
		sent += result;
	}
	side->bytes += sent;
	return sent;
}

static bool keep_pending(struct side *side, const uint8_t *bytes, unsigned long length)
{
	side->pending = malloc(length);
	if (side->pending == NULL)
		return false;
	memcpy(side->pending, bytes, length);
	side->pending_length = length;
	side->pending_taken = 0;
	return true;
}

static void drop_pending(struct side *side)
{
	free(side->pending);
	side->pending = NULL;
	side->pending_length = 0;
}

static long send_pending(struct side *side)
{
	long sent = send_all(side, side->pending + side->pending_taken, side->pending_length - side->pending_taken);

	if (sent > 0)
		side->pending_taken += sent;
	if (side->pending_taken == side->pending_length)
		drop_pending(side);
	return sent;
}

static long send_read(struct side *side, const uint8_t *bytes, unsigned long length)
{
	long sent = send_all(side, bytes, length);

	if (sent >= 0 && (unsigned long)sent < length && !keep_pending(side, bytes + sent, length - sent))
		return -ENOMEM;
	return sent;
}

static long receive(struct side *side, uint8_t *buffer)
{
	for (;;) {
		long result = SYSCALL(recvfrom, side->descriptor, buffer, PAIR_BUFFER_BYTES, MSG_DONTWAIT, NULL, NULL);

		if (result != -EINTR)
			return result;
	}
}

/*
 * Moves what this side has sent, as far as the other takes it. 0 or more, or -errno. One read at a time: whoever sends more
 * than fits into the buffer waits for its turn like everybody.
 */
static long move(struct side *side, uint8_t *buffer)
{
	long length;

	if (is_pending(side) || side->has_ended)
		return 0;
	length = receive(side, buffer);
	if (length == -EAGAIN)
		return 0;
	if (length == 0)
		side->has_ended = true;
	return length > 0 ? send_read(side, buffer, length) : length;
}

static void pass_end_on(struct side *side)
{
	if (!side->has_ended || side->is_told_of_it || is_pending(side))
		return;
	side->is_told_of_it = true;
	/* That it fails for want of a connection is met by whoever reads the other side. */
	SYSCALL(shutdown, other(side)->descriptor, SHUT_WR, 0, 0, 0, 0);
}

/* ---- epoll ---- */

static uint32_t wanted(const struct side *side)
{
	uint32_t events = is_pending(other(side)) ? EPOLLOUT : 0;

	if (!side->has_ended && !is_pending(side))
		return events | EPOLLIN;
	/*
	 * Not to be read, so what is told of its end is told once and not for as long as it is so. A vsock whose peer is gone
	 * never becomes writable: that it has shut down is the only sign of it.
	 */
	return events | EPOLLRDHUP | EPOLLET;
}

static int32_t control(struct side *side, int32_t epoll, int operation)
{
	struct epoll_event event = {.events = side->watched, .data = (uint64_t)(uintptr_t)side};

	return SYSCALL(epoll_ctl, epoll, operation, side->descriptor, &event, 0, 0);
}

static int32_t rewatch(struct side *side, int32_t epoll)
{
	uint32_t events = wanted(side);

	if (events == side->watched)
		return 0;
	side->watched = events;
	return control(side, epoll, EPOLL_CTL_MOD);
}

int32_t pair_watch(struct pair *pair, int32_t epoll)
{
	int32_t error = 0;

	for (int32_t index = 0; index < 2 && error == 0; index++) {
		pair->sides[index].watched = wanted(&pair->sides[index]);
		error = control(&pair->sides[index], epoll, EPOLL_CTL_ADD);
	}
	return error;
}

/* Not left to the closing of the duplicates: while the originals are open, that takes nothing out of an epoll. */
void pair_unwatch(struct pair *pair, int32_t epoll)
{
	for (int32_t index = 0; index < 2; index++)
		control(&pair->sides[index], epoll, EPOLL_CTL_DEL);
}

static long move_both(struct side *side, uint32_t events, uint8_t *buffer)
{
	struct side *from = other(side);
	long result = 0;

	if (is_pending(from) && (events & ~EPOLLIN) != 0) {
		result = send_pending(from);
		if (result >= 0)
			result = move(from, buffer);
	}
	return result < 0 ? result : move(side, buffer);
}

enum end pair_move(struct side *side, uint32_t events, int32_t epoll, uint8_t buffer[PAIR_BUFFER_BYTES], int64_t now)
{
	struct pair *pair = side->pair;
	struct side *sides = pair->sides;
	int64_t before = sides[0].bytes + sides[1].bytes;

	/* An error comes after what was sent before it. */
	if (move_both(side, events, buffer) < 0 || (events & EPOLLERR) != 0)
		return RESET;
	if (sides[0].bytes + sides[1].bytes != before)
		pair->moved_at = now;
	pass_end_on(&sides[0]);
	pass_end_on(&sides[1]);
	if (sides[0].is_told_of_it && sides[1].is_told_of_it)
		return CLOSED;
	return rewatch(&sides[0], epoll) < 0 || rewatch(&sides[1], epoll) < 0 ? RESET : GOES_ON;
}

/* ---- from beginning to end ---- */

static int32_t duplicate(int32_t descriptor)
{
	int32_t type = 0;
	uint32_t size = sizeof type;
	long result = SYSCALL(getsockopt, descriptor, SOL_SOCKET, SO_TYPE, &type, &size, 0);

	if (result < 0)
		return result;
	return type == SOCK_STREAM ? SYSCALL(fcntl, descriptor, F_DUPFD_CLOEXEC, 0, 0, 0, 0) : -EPROTOTYPE;
}

static int32_t begin_side(struct side *side, int32_t descriptor, const struct first_bytes *first)
{
	side->descriptor = duplicate(descriptor);
	if (side->descriptor < 0)
		return side->descriptor;
	return first->length == 0 || keep_pending(side, first->start, first->length) ? 0 : -ENOMEM;
}

struct pair *pair_create(const int32_t descriptors[2], const struct first_bytes firsts[2], int32_t *error)
{
	struct pair *pair = allocate(sizeof *pair);

	*error = -ENOMEM;
	if (pair == NULL)
		return NULL;
	pair->sides[0].pair = pair->sides[1].pair = pair;
	pair->sides[0].descriptor = pair->sides[1].descriptor = -1;
	*error = begin_side(&pair->sides[0], descriptors[0], &firsts[0]);
	if (*error == 0)
		*error = begin_side(&pair->sides[1], descriptors[1], &firsts[1]);
	if (*error == 0)
		return pair;
	/* Not to be reset: its sockets are still the caller's alone. */
	pair->end = CLOSED;
	pair_close(pair);
	free(pair);
	return NULL;
}

static void close_side(struct side *side, bool is_reset)
{
	struct {
		int32_t on, seconds;
	} at_once = {1, 0};

	drop_pending(side);
	if (side->descriptor < 0)
		return;
	if (is_reset)
		SYSCALL(setsockopt, side->descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once, 0);
	SYSCALL(close, side->descriptor, 0, 0, 0, 0, 0);
}

void pair_close(struct pair *pair)
{
	close_side(&pair->sides[0], pair->end != CLOSED);
	close_side(&pair->sides[1], pair->end != CLOSED);
}
