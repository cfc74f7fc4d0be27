/*
 * The floor for bench/vsock/guest/loopback.mjs: the same over AF_VSOCK loopback in C, with blocking sockets.
 *   loopback PORT MIB PINGS    prints {"bulkMs": …, "pingMs": …}
 * A child sinks MIB mebibytes written in pieces of 64 KiB and answers one byte at their end, then echoes PINGS bytes.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define PIECE 65536

static char piece[PIECE];

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

static struct sockaddr_vm address_of(unsigned port)
{
	return (struct sockaddr_vm){.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_LOCAL, .svm_port = port};
}

static int listen_on(unsigned port)
{
	struct sockaddr_vm address = address_of(port);
	int listener = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 8) != 0)
		fail("listen");
	return listener;
}

static int connect_to(unsigned port)
{
	struct sockaddr_vm address = address_of(port);
	int connection = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (connect(connection, (struct sockaddr *)&address, sizeof address) != 0)
		fail("connect");
	return connection;
}

static void serve(int listener, long long size, int pings)
{
	int connection = accept(listener, NULL, NULL);
	ssize_t count;

	while (size > 0 && (count = read(connection, piece, PIECE)) > 0)
		size -= count;
	if (write(connection, "x", 1) != 1)
		fail("write");
	for (; pings > 0 && read(connection, piece, 1) == 1; pings--)
		if (write(connection, piece, 1) != 1)
			fail("write");
	exit(0);
}

int main(int count, char **arguments)
{
	unsigned port = count == 4 ? atoi(arguments[1]) : 0;
	long long size = count == 4 ? atoll(arguments[2]) << 20 : 0, left;
	int pings = count == 4 ? atoi(arguments[3]) : 0, listener = listen_on(port), connection;
	double begun, sent, done;
	ssize_t written;

	if (fork() == 0)
		serve(listener, size, pings);
	connection = connect_to(port);
	begun = now_ms();
	for (left = size; left > 0; left -= written)
		if ((written = write(connection, piece, PIECE)) <= 0)
			fail("write");
	if (read(connection, piece, 1) != 1)
		fail("read");
	sent = now_ms();
	for (int ping = 0; ping < pings; ping++)
		if (write(connection, "x", 1) != 1 || read(connection, piece, 1) != 1)
			fail("ping");
	done = now_ms();
	wait(NULL);
	printf("{\"bulkMs\": %.3f, \"pingMs\": %.3f}\n", sent - begun, done - sent);
	return 0;
}
