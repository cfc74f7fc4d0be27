/*
 * What bench/vsock/guest/loopback.mjs does, in C: two processes over the AF_VSOCK loopback, or over AF_UNIX.
 *   loopback epoll|blocking vsock|unix PORT MIB PINGS    prints {"bulkMs": …, "pingMs": …}
 *   loopback on PROCESSOR PID                            keeps the main thread of another process on one processor
 * A child sinks MIB mebibytes written in pieces of 64 KiB and answers one byte at their end, then echoes PINGS bytes.
 *
 * Each end has a processor of its own, or the scheduler decides anew with every wake-up what a round trip costs.
 *
 * With `epoll` descriptors are non-blocking, and every read follows an event, as in a server of many connections and as in
 * Node. With `blocking` each process sleeps in read and write, which needs a process or a thread for each connection.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define PIECE 65536

static char piece[PIECE];
static int events = -1; /* the epoll, or none when blocking */

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

union address {
	struct sockaddr any;
	struct sockaddr_vm vsock;
	struct sockaddr_un unix_name;
};

static int open_socket(bool vsock, unsigned port, union address *address)
{
	memset(address, 0, sizeof *address);
	if (vsock) {
		address->vsock.svm_family = AF_VSOCK;
		address->vsock.svm_cid = VMADDR_CID_LOCAL;
		address->vsock.svm_port = port;
	} else {
		address->unix_name.sun_family = AF_UNIX;
		/* A name without a file, which begins with a zero. */
		snprintf(address->unix_name.sun_path + 1, sizeof address->unix_name.sun_path - 1, "loopback.%u", port);
	}
	return socket(address->any.sa_family, SOCK_STREAM, 0);
}

static socklen_t length_of(const union address *address)
{
	return address->any.sa_family == AF_VSOCK ? sizeof address->vsock : sizeof address->unix_name;
}

static int listen_on(bool vsock, unsigned port)
{
	union address address;
	int listener = open_socket(vsock, port, &address);

	if (bind(listener, &address.any, length_of(&address)) != 0 || listen(listener, 8) != 0)
		fail("listen");
	return listener;
}

static int connect_to(bool vsock, unsigned port)
{
	union address address;
	int connection = open_socket(vsock, port, &address);

	if (connect(connection, &address.any, length_of(&address)) != 0)
		fail("connect");
	return connection;
}

static void watch(int connection, int operation, unsigned interest)
{
	struct epoll_event event = {.events = interest, .data.fd = connection};

	if (epoll_ctl(events, operation, connection, &event) != 0)
		fail("epoll_ctl");
}

static void wait_for_event(void)
{
	struct epoll_event event;

	while (epoll_wait(events, &event, 1, -1) < 0)
		if (errno != EINTR)
			fail("epoll_wait");
}

static void enter_event_loop(int connection)
{
	if (fcntl(connection, F_SETFL, O_NONBLOCK) != 0 || (events = epoll_create1(0)) < 0)
		fail("event loop");
	watch(connection, EPOLL_CTL_ADD, EPOLLIN);
}

/* Like read, once there is something. */
static ssize_t receive(int connection)
{
	ssize_t count;

	do {
		if (events >= 0)
			wait_for_event();
		count = read(connection, piece, PIECE);
	} while (count < 0 && errno == EAGAIN);
	return count;
}

/* All of it; what can be written at once is. */
static void send_all(int connection, size_t size)
{
	while (size > 0) {
		ssize_t count = write(connection, piece, size);

		if (count > 0) {
			size -= count;
		} else if (errno == EAGAIN) {
			watch(connection, EPOLL_CTL_MOD, EPOLLOUT);
			wait_for_event();
			watch(connection, EPOLL_CTL_MOD, EPOLLIN);
		} else {
			fail("write");
		}
	}
}

static void serve(int connection, long long size, int pings)
{
	ssize_t count;

	while (size > 0 && (count = receive(connection)) > 0)
		size -= count;
	send_all(connection, 1);
	for (; pings > 0 && receive(connection) == 1; pings--)
		send_all(connection, 1);
	exit(0);
}

static void keep_on(int processor, pid_t pid)
{
	cpu_set_t processors;

	CPU_ZERO(&processors);
	CPU_SET(processor, &processors);
	if (sched_setaffinity(pid, sizeof processors, &processors) != 0)
		fail("sched_setaffinity");
}

int main(int count, char **arguments)
{
	bool loop, vsock;
	long long size;
	int pings, listener, connection;
	unsigned port;
	double begun, sent, done;

	if (count == 4 && strcmp(arguments[1], "on") == 0) {
		keep_on(atoi(arguments[2]), atoi(arguments[3]));
		return 0;
	}
	if (count != 6) {
		fprintf(stderr, "loopback epoll|blocking vsock|unix PORT MIB PINGS, or loopback on PROCESSOR PID\n");
		return 2;
	}
	loop = strcmp(arguments[1], "epoll") == 0;
	vsock = strcmp(arguments[2], "vsock") == 0;
	port = atoi(arguments[3]);
	size = atoll(arguments[4]) << 20;
	pings = atoi(arguments[5]);
	listener = listen_on(vsock, port);
	keep_on(0, 0);
	if (fork() == 0) {
		keep_on(1, 0);
		connection = accept(listener, NULL, NULL);
		if (loop)
			enter_event_loop(connection);
		serve(connection, size, pings);
	}
	connection = connect_to(vsock, port);
	if (loop)
		enter_event_loop(connection);
	begun = now_ms();
	for (long long left = size; left > 0; left -= PIECE)
		send_all(connection, PIECE);
	if (receive(connection) != 1)
		fail("read");
	sent = now_ms();
	for (int ping = 0; ping < pings; ping++) {
		send_all(connection, 1);
		if (receive(connection) != 1)
			fail("ping");
	}
	done = now_ms();
	wait(NULL);
	printf("{\"bulkMs\": %.3f, \"pingMs\": %.3f}\n", sent - begun, done - sent);
	return 0;
}
