/*
 * Preloaded: every second write to a socket fails with ENOBUFS, as the kernel's virtio-vsock does when its queue is full.
 * Says at the end how many.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static unsigned long calls, failures;

static int fails(int descriptor)
{
	struct sockaddr name;
	socklen_t length = sizeof name;
	int error = errno, is_socket;

	is_socket = descriptor > 2 && getsockname(descriptor, &name, &length) == 0;
	errno = error;
	if (!is_socket || ++calls % 2 != 0)
		return 0;
	failures++;
	errno = ENOBUFS;
	return 1;
}

ssize_t write(int descriptor, const void *bytes, size_t length)
{
	ssize_t (*next)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");

	return fails(descriptor) ? -1 : next(descriptor, bytes, length);
}

ssize_t writev(int descriptor, const struct iovec *pieces, int count)
{
	ssize_t (*next)(int, const struct iovec *, int) = dlsym(RTLD_NEXT, "writev");

	return fails(descriptor) ? -1 : next(descriptor, pieces, count);
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags)
{
	ssize_t (*next)(int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");

	return fails(descriptor) ? -1 : next(descriptor, message, flags);
}

__attribute__((destructor)) static void tell(void)
{
	fprintf(stderr, "%lu writes failed\n", failures);
}
